-- rpm's Lua as macros see it: the tables rpm, macros, posix, and os, io, require by way of the host.
-- The host's only door is bridge.call(name, ...): it returns true and results, or false and a message.
local bridge = ...
local error, tostring, tonumber, type, select, rawequal = error, tostring, tonumber, type, select, rawequal
local pcall, xpcall, setmetatable, load, next, ipairs = pcall, xpcall, setmetatable, load, next, ipairs
local concat, pack, unpack, move, sort = table.concat, table.pack, table.unpack, table.move, table.sort
local rep, find, sub, gsub, gmatch = string.rep, string.find, string.sub, string.gsub, string.gmatch
local resume, close = coroutine.resume, coroutine.close
local rawset, getmetatable, seed = rawset, getmetatable, math.randomseed

-- Errors name the line that called the exported function, as those of C functions do.
local function finish(ok, ...)
    if not ok then
        error((...), 2)
    end
    return ...
end

local function export(name)
    return function(...)
        return finish(bridge.call(name, ...))
    end
end

local function refuse(name)
    return function()
        return finish(false, name .. " is not supported here")
    end
end

local function exports(names)
    local result = {}
    for _, name in ipairs(names) do
        result[name] = export(name)
    end
    return result
end

-- Nothing catches the end of the budget.
local function guarded(ok, ...)
    if not ok and bridge.exhausted() then
        error("lua script takes too long", 0)
    end
    return ok, ...
end

function _G.pcall(...)
    return guarded(pcall(...))
end

function _G.xpcall(...)
    return guarded(xpcall(...))
end

function coroutine.resume(...)
    return guarded(resume(...))
end

function coroutine.close(...)
    return guarded(close(...))
end

-- Each collection of garbage is paid for: an instruction that copies a large text takes long but counts as one.
local function watch()
    setmetatable({}, {
        __gc = function()
            bridge.collected()
            watch()
        end,
    })
end
watch()

-- What loops in C without end is bounded here.
function string.rep(text, count, separator)
    if text == "" and (separator == nil or separator == "") then
        return ""
    end
    return rep(text, count, separator)
end
getmetatable("").__index = string

function table.move(from, first, last, to, target)
    if type(first) == "number" and type(last) == "number" and last - first > 10000000 then
        error("too many elements to move", 2)
    end
    if target == nil then
        return move(from, first, last, to)
    end
    return move(from, first, last, to, target)
end

function table.sort(list, ...)
    if type(list) == "table" and #list > 10000000 then
        error("array too big", 2)
    end
    return sort(list, ...)
end

for _, name in ipairs({ "find", "match", "gmatch", "gsub" }) do
    local original = string[name]
    string[name] = function(text, pattern, ...)
        if type(pattern) == "string" and type(text) == "string" then
            local ok, message = bridge.call("pattern", #text, pattern)
            if not ok then
                error(message, 2)
            end
        end
        return original(text, pattern, ...)
    end
end

function _G.load(chunk, name, mode, ...)
    if mode ~= nil and not find(mode, "t", 1, true) then
        return nil, "attempt to load a binary chunk here"
    end
    if select("#", ...) > 0 then
        return load(chunk, name, "t", (...))
    end
    return load(chunk, name, "t")
end

function _G.print(...)
    local words = pack(...)
    for index = 1, words.n do
        words[index] = tostring(words[index])
    end
    bridge.call("print", concat(words, "\t", 1, words.n))
end

-- rpm

rpm = exports({
    "b64decode", "b64encode", "define", "execute", "expand", "isdefined", "load", "splitargs", "undefine",
    "unsplitargs", "vercmp",
})

function rpm.interactive()
    return finish(false, "not a tty")
end

function rpm.redirect2null()
    return finish(false, "redirect2null not permitted in this context")
end

-- Hooks are called by name, the newest first.
local hooks = {}

function rpm.register(name, hook)
    if type(name) ~= "string" and type(name) ~= "number" then
        return finish(false, "bad argument #1 to 'register' (hook name expected)")
    elseif type(hook) ~= "function" then
        return finish(false, "bad argument #2 to 'register' (function expected)")
    end
    local registered = { hook = hook, next = hooks[name] }
    hooks[name] = registered
    return registered
end

function rpm.unregister(name, registered)
    if type(name) ~= "string" and type(name) ~= "number" then
        return finish(false, "bad argument #1 to 'unregister' (hook name expected)")
    elseif type(registered) ~= "table" then
        return finish(false, "bad argument #2 to 'unregister' (hook information expected)")
    end
    if hooks[name] == registered then
        hooks[name] = registered.next
    else
        local before = hooks[name]
        while before and before.next ~= registered do
            before = before.next
        end
        if before then
            before.next = registered.next
        end
    end
end

function rpm.call(name, ...)
    if type(name) ~= "string" and type(name) ~= "number" then
        return finish(false, "bad argument #1 to 'call' (hook name expected)")
    end
    local registered = hooks[name]
    while registered do
        local following = registered.next
        registered.hook({ ... })
        registered = following
    end
end

-- rpm.ver

local parts = setmetatable({}, { __mode = "k" })
local version = { __name = "rpm.ver" }

local function new_version(epoch, number, release)
    local object = setmetatable({}, version)
    parts[object] = { e = epoch, v = number, r = release }
    return object
end

local function parts_of(object)
    return parts[object] or error("bad argument #1 (rpm.ver expected, got " .. type(object) .. ")", 3)
end

local function text_of(object)
    local part = parts_of(object)
    return (part.e and part.e .. ":" or "") .. part.v .. (part.r and "-" .. part.r or "")
end

local function compare(left, right)
    local ok, order = bridge.call("compare", text_of(left), text_of(right))
    return order
end

function version.__index(object, key)
    if key == "e" or key == "v" or key == "r" then
        return parts_of(object)[key]
    end
    return finish(false, "invalid attribute: " .. tostring(key))
end

version.__tostring = text_of

function version.__eq(left, right)
    return compare(left, right) == 0
end

function version.__lt(left, right)
    return compare(left, right) < 0
end

function version.__le(left, right)
    return compare(left, right) <= 0
end

function rpm.ver(...)
    local count = select("#", ...)
    if count == 1 then
        local ok, valid, epoch, number, release = bridge.call("parse_version", (...))
        if valid then
            return new_version(epoch, number, release)
        end
    elseif count == 3 then
        local epoch, number, release = ...
        if number ~= nil and number ~= "" then
            return new_version(epoch and tostring(epoch), tostring(number), release and tostring(release))
        end
    else
        return finish(false, "invalid number of arguments: " .. count)
    end
end

-- macros

macros = setmetatable({}, {
    __name = "rpm.mc",
    __index = function(_, name)
        local ok, kind, text = bridge.call("macro", name)
        if not ok then
            return finish(false, kind)
        elseif kind == "text" then
            return text
        elseif kind == "parametric" then
            return function(...)
                return finish(bridge.call("macro_call", name, ...))
            end
        end
    end,
    __newindex = function(_, name, body)
        return finish(bridge.call("macro_set", name, body))
    end,
})

-- posix

posix = exports({ "access", "getenv", "putenv", "setenv", "unsetenv" })
posix.version = "posix library for Lua"
for _, name in ipairs({
    "chdir", "chmod", "chown", "ctermid", "dir", "errno", "exec", "files", "fork", "getcwd", "getgroup", "getlogin",
    "getpasswd", "getprocessid", "kill", "link", "mkdir", "mkfifo", "mkstemp", "pathconf", "readlink",
    "rmdir", "setgid", "setuid", "sleep", "stat", "symlink", "sysconf", "times", "ttyname", "umask",
    "unlink", "utime", "wait",
}) do
    posix[name] = refuse("posix." .. name)
end
posix.redirect2null = rpm.redirect2null

function posix.uname(format)
    local function ask(letter)
        return finish(bridge.call("uname", letter))
    end
    if format == nil then
        return { machine = ask("m"), nodename = ask("n"), release = ask("r"), sysname = ask("s"), version = ask("v") }
    end
    return (gsub(format, "%%(.)", function(letter)
        return find("mnrsv", letter, 1, true) and ask(letter) or letter
    end))
end

-- os

os = { execute = export("system"), getenv = posix.getenv, time = export("time"), date = export("date") }

function os.clock()
    return 0.0
end

function os.difftime(later, earlier)
    return later - (earlier or 0)
end

function os.exit()
    return finish(false, "exit not permitted in this context")
end

function os.setlocale(locale)
    if locale == nil or locale == "" or locale == "C" then
        return "C"
    end
end

os.rename = refuse("os.rename")

-- Temporary files are in memory only.
local temporary, temporaries = {}, 0

function os.tmpname()
    temporaries = temporaries + 1
    local path = "/tmp/lua_" .. sub("00000" .. temporaries, -6)
    temporary[path] = ""
    return path
end

function os.remove(path)
    if temporary[path] then
        temporary[path] = nil
        return true
    end
    return finish(false, "os.remove is not supported here")
end

-- io: files are read whole; nothing but temporary files is written.

local file = { __name = "FILE*" }
file.__index = file
local contents = setmetatable({}, { __mode = "k" })

local function new_file(content)
    local object = setmetatable({}, file)
    contents[object] = { text = content, at = 1 }
    return object
end

local function state_of(object)
    local state = contents[object]
    if not state or state.closed then
        error("attempt to use a closed file", 3)
    end
    return state
end

local function read_one(state, format)
    local at = state.at
    if type(format) == "number" then
        if at > #state.text and format > 0 then
            return nil
        end
        state.at = at + format
        return sub(state.text, at, at + format - 1)
    end
    format = gsub(format, "^%*", "")
    local kind = sub(format, 1, 1)
    if kind == "a" then
        state.at = #state.text + 1
        return sub(state.text, at)
    elseif at > #state.text then
        return nil
    elseif kind == "l" or kind == "L" then
        local stop = find(state.text, "\n", at, true)
        state.at = (stop or #state.text) + 1
        return sub(state.text, at, stop and (kind == "L" and stop or stop - 1) or nil)
    elseif kind == "n" then
        local first, last = find(state.text, "^%s*[-+]?[%w.]+", at)
        if not first then
            return nil
        end
        state.at = last + 1
        return tonumber(sub(state.text, first, last))
    end
    error("bad argument #1 to 'read' (invalid format)", 3)
end

local function read_all(state, ...)
    if select("#", ...) == 0 then
        return read_one(state, "l")
    end
    local results = pack(...)
    for index = 1, results.n do
        results[index] = read_one(state, results[index])
        if results[index] == nil then
            return unpack(results, 1, index)
        end
    end
    return unpack(results, 1, results.n)
end

function file:read(...)
    return read_all(state_of(self), ...)
end

function file:lines(...)
    local state = state_of(self)
    local formats = pack(...)
    return function()
        return read_all(state, unpack(formats, 1, formats.n))
    end
end

function file:seek(whence, offset)
    local state = state_of(self)
    local base = whence == "set" and 1 or whence == "end" and #state.text + 1 or state.at
    state.at = base + (offset or 0)
    return state.at - 1
end

function file:close()
    state_of(self).closed = true
    return true
end

function file:flush()
    return self
end

function file:setvbuf()
    return true
end

function file:write(...)
    local state = state_of(self)
    if not state.path then
        return finish(false, "writing to files is not supported here")
    end
    state.text = state.text .. concat({ ... })
    temporary[state.path] = state.text
    return self
end

file.__close = file.close

local function stream()
    local object = new_file("")
    return object
end

local function echo(_, ...)
    bridge.call("echo", concat({ ... }))
    return _
end

io = { stdin = stream() }
io.stdout = setmetatable({ write = echo, flush = echo }, file)
io.stderr = setmetatable({ write = echo, flush = echo }, file)

function io.write(...)
    return echo(io.stdout, ...)
end

function io.read(...)
    return io.stdin:read(...)
end

function io.open(path, mode)
    if temporary[path] then
        local writes = mode ~= nil and find(mode, "[wa+]") ~= nil
        if writes and find(mode, "w", 1, true) then
            temporary[path] = ""
        end
        local object = new_file(temporary[path])
        contents[object].path = writes and path or nil
        return object
    elseif mode ~= nil and not find(mode, "^rb?$") then
        return finish(false, "writing to files is not supported here")
    end
    local ok, content = bridge.call("read", path)
    if ok then
        return new_file(content)
    end
    return nil, content, 2
end

function io.popen(command, mode)
    if mode ~= nil and mode ~= "r" then
        return finish(false, "writing to a command is not supported here")
    end
    return new_file(finish(bridge.call("shell", command)))
end

function io.lines(path, ...)
    if path == nil then
        return io.stdin:lines(...)
    end
    local content = temporary[path]
    if not content then
        local ok
        ok, content = bridge.call("read", path)
        if not ok then
            return finish(false, content)
        end
    end
    return new_file(content):lines(...)
end

function io.type(object)
    local state = contents[object]
    return state and (state.closed and "closed file" or "file") or nil
end

for _, name in ipairs({ "input", "output", "tmpfile" }) do
    io[name] = refuse("io." .. name)
end

function rpm.open(path, mode)
    if mode ~= nil and not find(mode, "^r$") then
        return finish(false, path .. " open failed: mode " .. tostring(mode) .. " is not supported here")
    end
    local ok, content = bridge.call("read", path)
    if not ok then
        return finish(false, path .. " open failed: " .. content)
    end
    local inner = new_file(content)
    local object = {}
    function object:read(count)
        return inner:read(count or "a") or ""
    end
    function object:seek(...)
        return inner:seek(...)
    end
    function object:close()
        inner:close()
        return 0
    end
    function object:flush()
        return 0
    end
    return object
end

-- Modules

package = { loaded = { _G = _G, string = string, table = table, math = math, rpm = rpm, posix = posix, os = os,
    io = io, coroutine = coroutine, utf8 = utf8 }, preload = {}, cpath = "", config = "/\n;\n?\n!\n-\n" }
package.path = bridge.config_directory .. "//lua/?.lua"

local function compile(path, content)
    return load(content, "@" .. path, "t")
end

function _G.require(name)
    local loaded = package.loaded[name]
    if loaded ~= nil then
        return loaded
    end
    local loader, from = package.preload[name], ":preload:"
    local tried = { "\n\tno field package.preload['" .. name .. "']" }
    if not loader then
        for template in gmatch(package.path, "[^;]+") do
            local path = gsub(template, "%?", (gsub(gsub(name, "%.", "/"), "%%", "%%%%")))
            local ok, content = bridge.call("read", path)
            if ok then
                local message
                loader, message = compile(path, content)
                if not loader then
                    error("error loading module '" .. name .. "' from file '" .. path .. "':\n\t" .. message, 2)
                end
                from = path
                break
            end
            tried[#tried + 1] = "\n\tno file '" .. path .. "'"
        end
    end
    if not loader then
        error("module '" .. name .. "' not found:" .. concat(tried), 2)
    end
    local result = loader(name, from)
    if result ~= nil then
        package.loaded[name] = result
    elseif package.loaded[name] == nil then
        package.loaded[name] = true
    end
    return package.loaded[name], from
end

function _G.loadfile(path)
    local ok, content = bridge.call("read", path)
    if not ok then
        return nil, "cannot open " .. tostring(path)
    end
    return compile(path, content)
end

function _G.dofile(path)
    local chunk, message = loadfile(path)
    if not chunk then
        error(message, 2)
    end
    return chunk()
end

-- What the host calls: each returns true and a text, or false and a message.

local function message_of(value)
    if type(value) == "string" or type(value) == "number" then
        return tostring(value)
    elseif type(value) == "userdata" then
        -- The host's own errors have a kind before and a stack trace behind.
        return (gsub(gsub(tostring(value), "^runtime error: ", ""), "\nstack traceback:.*", ""))
    end
    return "(null)"
end

local function printed(ok, ...)
    if not ok then
        return false, "lua script failed: " .. message_of((...))
    end
    if select("#", ...) > 0 then
        local printed_ok, message = pcall(_G.print, ...)
        if not printed_ok then
            return false, "result print failed: " .. message_of(message)
        end
    end
    return true
end

function bridge.run(chunk, options, arguments)
    return printed(pcall(chunk, options, arguments))
end

local function as_text(value)
    if value == nil then
        return ""
    elseif type(value) == "boolean" then
        return value and "1" or ""
    end
    return tostring(value)
end

local function text_result(ok, value)
    if ok then
        ok, value = pcall(as_text, value)
    end
    if not ok then
        value = message_of(value)
    end
    return ok, value
end

function bridge.invoke(chunk, ...)
    return text_result(pcall(chunk, ...))
end

-- What the host calls between two specs: everything a script can reach is as it was, or an error says that it is not.

local streams = { io.stdin, io.stdout, io.stderr }
local kept = {}
local order = {}

local function keep(object)
    if kept[object] then
        return
    end
    local content, count = {}, 0
    kept[object] = content
    local one = { object = object, content = content, metatable = getmetatable(object) }
    order[#order + 1] = one
    for key, value in next, object do
        content[key] = value
        count = count + 1
        if type(value) == "table" then
            keep(value)
        end
    end
    one.count = count
    if type(getmetatable(object)) == "table" then
        keep(getmetatable(object))
    end
end

keep(_G)
keep(getmetatable(""))
keep(version)
keep(file)
seed(0)

-- Says whether a table is as it was. No method of a script's own values is asked.
local function is_same(object, content, count)
    local found = 0
    for key, value in next, object do
        local was = content[key]
        if kept[was] then
            if not rawequal(was, value) then
                return false
            end
        elseif was ~= value then
            return false
        end
        found = found + 1
    end
    return found == count
end

function bridge.reset()
    hooks, temporary, temporaries = {}, {}, 0
    seed(0)
    for index = 1, 3 do
        local state = contents[streams[index]]
        if state == nil or state.closed then
            contents[streams[index]] = { text = "", at = 1 }
        end
    end
    for index = 1, #order do
        local one = order[index]
        local object, content = one.object, one.content
        if not is_same(object, content, one.count) then
            for key in next, object do
                if content[key] == nil then
                    rawset(object, key, nil)
                end
            end
            for key, value in next, content do
                rawset(object, key, value)
            end
        end
        if not rawequal(getmetatable(object), one.metatable) then
            setmetatable(object, one.metatable)
        end
    end
end
