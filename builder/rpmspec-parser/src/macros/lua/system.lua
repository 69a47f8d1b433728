-- The second part of the prelude: posix, os and io by way of the host.

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
