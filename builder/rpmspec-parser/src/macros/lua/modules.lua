-- The last part of the prelude: require and its kind, and what the host calls.

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
