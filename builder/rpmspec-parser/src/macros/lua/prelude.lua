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

if bridge.rpm >= 41900 then
    rpm.glob = export("glob")
end
if bridge.rpm >= 42000 then
    rpm.spawn = export("spawn")
end

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
