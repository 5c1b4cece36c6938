"""Scripts one by one: what each kind of value becomes, what each function of `redis` and Lua answers, each mistake.

They run with the keys `k` (a string), `l` (a list), `h` (a hash), `z` (a sorted set), `s` (a set), the first three of
which are their KEYS, and two further arguments.
"""

from __future__ import annotations

import random

FILLING = [
    [b"SET", b"k", b"v"],
    [b"RPUSH", b"l", b"1", b"2"],
    [b"HSET", b"h", b"f", b"1"],
    [b"ZADD", b"z", b"1.5", b"m"],
    [b"SADD", b"s", b"1"],
    [b"XADD", b"st", b"9-9", b"field", b"value"],
]
# One on each line.
SCRIPTS = r"""
return 1
return -1.9
return 1e30
return 0/0
return 1/0
return -1/0
return 2^53
return 2^63
return '1'
return ''
return true
return false
return nil
return
return {}
return {1,2,nil,3}
return {1,2.9,'x',true,false,{1,{2}}}
return {ok='FINE'}
return {ok='FI\r\nNE'}
return {err='MY error'}
return {err='oneword'}
return {err='My error\r\n+x'}
return {err=''}
return {ok=''}
return {ok=1}
return {err=1}
return {err={}}
return {double=1.5}
return {double=3}
return {double=1/0}
return {double='1'}
return {map={a=1}}
return {map={}}
return {map=1}
return {map={[1]=2}}
return {map={[1.5]=2}}
return {map={[true]='x'}}
return {set={a=true}}
return {set={}}
return {set=1}
return {big_number='123456789012345678901234567890'}
return {big_number='12\r\n3'}
return {big_number=1}
return {verbatim_string={format='txt',string='hi'}}
return {verbatim_string={format='mkd',string='hi'}}
return {verbatim_string={format='toolong',string='hi'}}
return {verbatim_string={string='hi'}}
return {verbatim_string=1}
redis.setresp(3) return {map={a=1}}
redis.setresp(3) return {set={a=true}}
redis.setresp(3) return {double=1.5}
redis.setresp(3) return true
redis.setresp(3) return false
redis.setresp(3) return {true,false,nil}
redis.setresp(3) return {true,false}
redis.setresp(3) return {big_number='12'}
redis.setresp(3) return {verbatim_string={format='txt',string='hi'}}
redis.setresp(3) return redis.call('hgetall',KEYS[3])
redis.setresp(3) return redis.call('hgetall',KEYS[3]).map.f
redis.setresp(3) return redis.call('smembers','s')
redis.setresp(3) return redis.call('smembers','s').set['1']
redis.setresp(3) return redis.call('zscore','z','m')
redis.setresp(3) return type(redis.call('zscore','z','m').double)
redis.setresp(3) return redis.call('zrange','z',0,-1,'withscores')
redis.setresp(3) return redis.call('zrange','z',0,-1,'withscores')[1][2].double
redis.setresp(3) return redis.call('get','missing') == nil
redis.setresp(3) return redis.call('get','missing')
redis.setresp(3) return type(redis.call('get','missing'))
redis.setresp(3) return type(redis.call('blpop','missing',0))
redis.setresp(3) return {redis.call('mget','missing','k')}
redis.setresp(3) return #redis.call('mget','missing','k')
redis.setresp(3) return redis.call('config','get','maxmemory')
redis.setresp(2) return redis.call('config','get','maxmemory')
return redis.call('config','get','maxmemory')
return redis.call('hgetall',KEYS[3])
return redis.call('smembers','s')
return redis.call('zscore','z','m')
return type(redis.call('zscore','z','m'))
return redis.call('zrange','z',0,-1,'withscores')
return redis.call('get','missing')
return type(redis.call('get','missing'))
return type(redis.call('lrange','l',0,-1))
return type(redis.call('set','x','1'))
return redis.call('set','x','1').ok
return redis.call('mget','k','missing','l')
return redis.call('blpop','missing',0)
return redis.call('brpoplpush','missing','x',0)
return redis.call('xread','block','0','streams','nostream','$')
return redis.call('xadd','st','1-1','a','b')
redis.call('xadd','st','1-1','a','b') return redis.call('xread','count','10','streams','st','0')
return redis.call('wait','1','0')
return redis.call('lpop','missing')
return redis.call('lpop','missing','1')
return redis.call('exists','k','k')
return redis.call('type','l')
return redis.call('ping')
return redis.call('echo','a')
return redis.call('nosuch')
return redis.call('get')
return redis.call('get','a','b')
return redis.call('incr','k')
return redis.call('lpush','k','1')
return redis.pcall('incr','k')
return redis.pcall('incr','k').err
return redis.pcall('lpush','k','1').err
return redis.pcall('nosuch').err
return redis.pcall('get').err
return redis.pcall().err
return redis.call()
return redis.call({})
return redis.call('set','x',{})
return redis.call('set','x',nil)
return redis.call('set','x',true)
return redis.pcall('set','x',true).err
return redis.call('echo',1.0)
return redis.call('echo',1.5)
return redis.call('echo',1e100)
return redis.call('echo',0.1)
return redis.call('echo',1/0)
return redis.call('echo',0/0)
return redis.call('echo',2^53)
return redis.call('echo',2^53-1)
return redis.call('echo',2^63)
return redis.call('echo',3.14159265358979)
return redis.call('echo',100000000000000000000)
return redis.call('echo','a\0b')
return redis.call(1)
return redis.call('eval','return 1','0')
return redis.call('multi')
return redis.call('exec')
return redis.call('watch','k')
return redis.call('subscribe','k')
return redis.call('script','load','return 1')
return redis.call('script','nosuch')
return redis.call('config')
return redis.call('config','nosuch')
return redis.call('monitor')
return redis.call('auth','x')
return redis.call('hello','3')
return redis.call('quit')
return redis.call('reset')
return redis.call('client','id')
return redis.call('client','getname')
return redis.call('shutdown')
return redis.call('function','list')
return redis.call('command','count') > 100
return redis.call('time')[1] == redis.call('time')[1]
return redis.error_reply('MY err')
return redis.error_reply('-MY err')
return redis.error_reply('oneword')
return redis.error_reply('-oneword')
return redis.error_reply('')
return redis.error_reply()
return redis.error_reply(1)
return redis.error_reply({})
return redis.error_reply('a','b')
return redis.status_reply('FINE')
return redis.status_reply('FI\r\nNE')
return redis.status_reply()
return redis.status_reply(1)
return redis.status_reply('')
return redis.sha1hex('')
return redis.sha1hex('abc')
return redis.sha1hex(1)
return redis.sha1hex()
return redis.sha1hex('a','b')
return redis.sha1hex({})
return redis.log()
return redis.log(1)
return redis.log('x','y')
return redis.log(9,'y')
return redis.log(-1,'y')
return redis.log(redis.LOG_WARNING,'y','z',3)
return redis.setresp()
return redis.setresp(4)
return redis.setresp('3')
return redis.setresp('x')
return redis.setresp(2,3)
return redis.set_repl()
return redis.set_repl(9)
return redis.set_repl('x')
return redis.set_repl(redis.REPL_ALL)
return redis.replicate_commands()
return {redis.REPL_ALL,redis.REPL_AOF,redis.REPL_SLAVE,redis.REPL_REPLICA,redis.REPL_NONE}
return {redis.LOG_DEBUG,redis.LOG_VERBOSE,redis.LOG_NOTICE,redis.LOG_WARNING}
return redis.acl_check_cmd('get','k')
return redis.acl_check_cmd('nosuch','k')
return redis.acl_check_cmd()
return redis.acl_check_cmd('get')
return redis.acl_check_cmd({})
return redis.nosuch
return type(redis.REDIS_VERSION)
x = 1
x = 1 return x
return x
return _G.x
_G.x = 1
rawset(_G,'x',1)
setmetatable(_G,{})
setmetatable(redis,{})
redis.call = 1
redis.x = 1
string.x = 1
math.x = 1
table.insert(_G,1)
table.insert(redis,1)
getmetatable(_G).__index = 1
return getmetatable('').__index == string
setmetatable('',{})
local t = getmetatable(_G) return type(t)
return type(getmetatable(redis))
KEYS[1] = 'q' return KEYS[1]
KEYS = 1 return KEYS
ARGV = 1
return KEYS
return ARGV
return #KEYS + #ARGV
function f() return 1 end return f()
local function f() return 1 end return f()
print('x')
return print
return type(os.clock())
os.exit()
return os.time()
io.write('x')
require('x')
dofile('/etc/passwd')
loadfile('/etc/passwd')
debug.sethook()
package.loaded = 1
module('x')
error('boom')
error('boom',0)
error('boom',2)
error({err='MY boom'})
error({err='boom'})
error()
error(nil)
error(1)
error(true)
error(redis.error_reply('MY boom'))
return pcall(error,'x')
return {pcall(error,'x')}
return {pcall(error,{err='x'})}
return {pcall(error,{1})}
return {pcall(error)}
return {pcall(redis.call,'incr','k')}
local ok, e = pcall(redis.call,'incr','k') return type(e)
local ok, e = pcall(redis.call,'incr','k') return e
local ok, e = pcall(redis.call,'incr','k') return tostring(e)
local ok, e = pcall(redis.call,'nosuch') return tostring(e)
local ok, e = pcall(function() return redis.call('incr','k') end) return e
local ok, e = pcall(function() error('x') end) return e
local ok, e = pcall(function() error({err='x'}) end) return e
local ok, e = pcall(function() nosuch() end) return e
local ok, e = pcall(function() local a; a.b = 1 end) return e
return xpcall(function() error('x') end, function(m) return m end)
return {xpcall(function() error('x') end, function(m) return m .. '!' end)}
return {xpcall(function() redis.call('incr','k') end, function(m) return type(m) end)}
local a = nil; return a.b
local a = nil; return a()
local a = nil; return a + 1
return 'a' < 1
return {} .. 'x'
return #nil
return nosuch()
return string.nosuch()
return string.rep('ab',3)
return string.format('%5d|%s|%q|%x|%5.2f',1,'x','y"\n',255,1.234)
return string.format('%d','x')
return string.format('%s')
return string.rep()
return ('x'):rep('y')
return string.find('abc','b')
return {string.find('abc','(b)(c)')}
return {string.gsub('hello','l','L')}
return {string.gsub('hello','(l)',{l='x'})}
return {string.gsub('hello','l',function(x) return x..x end)}
return {string.byte('abc',1,-1)}
return {string.match('k=v','(%w+)=(%w+)')}
return string.gsub('x')
return string.find('a','[')
return string.find('a','%')
return string.match('a','(')
return string.gsub('abc','%w','%9')
local t={} for w in string.gmatch('a b c','%a') do t[#t+1]=w end return t
return table.concat({1,2,3},',')
return table.concat({1,{},3},',')
return {unpack({1,2,3})}
return {unpack({1,2,3},2)}
return {unpack({},1,1e9)}
return {unpack({},1,8001)}
return {unpack({},1,100)}
local t={3,1,2} table.sort(t) return t
local t={3,1,2} table.sort(t,function(a,b) return a>b end) return t
local t={3,1,2} table.sort(t,function(a,b) return true end) return #t
local t={1,2} table.insert(t,1,0) table.remove(t) return t
return table.getn({1,2})
return table.maxn({1,2,[10]=1})
return {math.floor(1.5),math.ceil(1.5),math.max(1,2),math.abs(-1),math.fmod(7,3)}
math.randomseed(1) return {math.random(100),math.random(100),math.random(5,6)}
return math.random(0)
return math.random(2,1)
return math.random(1,2,3)
return tostring(math.pi)
return tostring(1e15)
return tostring(1e100)
return tostring(0.1)
return 10 .. ''
return tonumber('0x10')
return tonumber('10',2)
return tonumber('zz',36)
return tonumber('x')
return tonumber({})
return tonumber()
return tostring()
return type()
return select('#',1,2,nil)
return {select(2,'a','b','c')}
return select(0)
return select(-1,'a','b')
return assert(false)
return assert(false,'msg')
return assert(1==1,'x')
return assert(nil,{err='MY a'})
return assert()
return next({})
return {next({'a'})}
return next()
return rawget({1},1)
return rawequal(1,1)
local t = setmetatable({},{__index=function(t,k) return k end}) return t.foo
local t = setmetatable({},{__index=function(t,k) if k < 4 then return k end end}) return t
local t = setmetatable({},{__call=function() return 5 end}) return t()
local t = setmetatable({},{__tostring=function() return 'T' end}) return tostring(t)
local t = setmetatable({},{__metatable='locked'}) return getmetatable(t)
local t = setmetatable({},{__metatable='locked'}) setmetatable(t,{})
local f = coroutine.wrap(function(a) return coroutine.yield(a+1)*2 end) return {f(1), f(10)}
local f = coroutine.wrap(function() error('x') end) f()
local f = coroutine.wrap(function() error({err='MY x'}) end) f()
local f = coroutine.wrap(function() return redis.call('incr','k') end) return f()
local f = coroutine.wrap(function() coroutine.yield(redis.call('get','k')) end) return f()
return coroutine.yield(1)
return {coroutine.resume(coroutine.create(function() error('x') end))}
return coroutine.running() == nil
return loadstring('return 1+1')()
return {loadstring('x x')}
return loadstring(string.dump(function() return 1 end))
return loadstring('\27Lua')
return load(function() return nil end)
local d = false return load(function() if d then return nil end d = true return 'return 7' end)()
loadstring('x = 1')()
loadstring('error("in")')()
return loadstring('return x')()
return collectgarbage('count') > 0
return collectgarbage('nosuch')
return gcinfo() > 0
return _VERSION
local t={} for k in pairs(string) do t[#t+1]=k end table.sort(t) return t
local t={} for k in pairs(table) do t[#t+1]=k end table.sort(t) return t
local t={} for k in pairs(math) do t[#t+1]=k end table.sort(t) return t
local t={} for k in pairs(os) do t[#t+1]=k end table.sort(t) return t
local t={} for k in pairs(coroutine) do t[#t+1]=k end table.sort(t) return t
local t = {} for i=1,50 do t = {t} end return t
local t = {} for i=1,7 do t = {t} end return t
return 1 +
x x
return }
return "unfinished
if true then
goto x
return 'a' 'b'
for i=1,2 do end
return 1, 2
--comment
#!lua flags=no-writes return 1
local t = {} for i=1,300 do t[i]=i end return t
redis.call('del','big') local t = {} for i=1,300 do t[i]='x' end return redis.call('rpush','big',unpack(t))
redis.call('del','big') for i=1,300 do redis.call('rpush','big',i) end return redis.call('lrange','big',0,-1)
redis.call('select','1') redis.call('set','x','1') return redis.call('dbsize')
return redis.call('set','x','1','EX','1000')
return redis.call('SET','x','1','XX')
return redis.call('getrange','k','0','0')
return redis.call('incrbyfloat','q','1.5')
return redis.call('geoadd','g','1','2','m')
redis.call('geoadd','g','1','2','m') return redis.call('geopos','g','m','n')
redis.setresp(3) redis.call('geoadd','g','1','2','m') return redis.call('geopos','g','m','n')
return redis.call('sort','l','desc')
return redis.call('lcs','k','k','idx')
redis.setresp(3) return redis.call('lcs','k','k','idx')
redis.setresp(3) return redis.call('debug','protocol','bignum')
redis.setresp(3) return redis.call('debug','protocol','verbatim')
redis.setresp(3) return redis.call('debug','protocol','map')
redis.setresp(3) return redis.call('debug','protocol','true')
redis.setresp(3) return redis.call('debug','protocol','double')
redis.setresp(3) return redis.call('debug','protocol','attrib')
redis.setresp(3) return redis.call('debug','protocol','null')
return redis.call('debug','protocol','bignum')
return redis.call('debug','protocol','attrib')
return {1,nil}
return {nil,1}
return {'a',function() end,'b'}
return function() end
return coroutine.create(function() end)
return {ok='x',err='y'}
return {err='y',double=1}
return {ok='x', map={}}
return {1,2,ok='x'}
return {{ok='x'},{err='MY y'}}
return {map={a={map={b=1}}}}
return cjson.encode({a=1})
return cjson.decode('[1,2]')
return bit.band(7,3)
return struct.pack('I',1)
return cmsgpack.pack(1)
return tostring(nil) .. tostring(true)
return string.len('a\0b')
return 'a\0b'
return tostring(cjson.null) == 'userdata: NULL' or type(cjson.null)
local a <const> = 1
return ('x'):upper()
return ("x").y
return #'abc'
return ('%d'):format(3.7)
return string.char(65,66)
return string.char(256)
return string.reverse('abc')
return string.sub('hello',2,-2)
return string.dump(function() end):sub(1,4)
local s = 'a' for i=1,20 do s = s..s end return #s
return {redis.call('get','k'),redis.pcall('incr','k')}
redis.pcall('incr','k') return 1
redis.call('set','done','1') redis.call('incr','k')
redis.call('set','done','1') error('after')
return server.call('get','k')
return server == redis
return server.sha1hex('')
return {redis.status_reply('a'),redis.error_reply('b c')}
return math.huge
return -math.huge
return 9007199254740993
return -2^63
return 2^63-1024
return tostring(2^63)
return string.format('%d',2^53)
return string.format('%i',3)
return string.format('%99999d',1)
return string.format('%c',65)
return string.format('%y',1)
return string.format('%s',nil)
return string.format('%s',{}) ~= nil
return string.format('%10.3s|','abcdef')
return (string.format('%q','\0\r'))
redis.setresp(3) local t = redis.call('info','server') return {t.verbatim_string.format, type(t.verbatim_string.string)}
redis.setresp(3) return redis.call('xrange','st','-','+')
redis.setresp(3) return redis.call('xread','streams','st','0')
redis.setresp(3) return redis.call('xread','streams','st','0').map.st[1][1]
redis.setresp(3) return redis.call('zscore','z','missing')
redis.setresp(3) return redis.call('zmscore','z','m','missing')
redis.setresp(3) return redis.call('zincrby','z',0,'m').double
redis.setresp(3) return redis.call('zpopmin','missing')
redis.setresp(3) return redis.call('smismember','s','1','2')
redis.setresp(3) return redis.call('hget','h','missing') == nil
redis.setresp(3) return {redis.call('hgetall','missing')}
redis.setresp(3) return type(redis.call('hgetall','missing').map)
redis.setresp(3) return type(redis.call('smembers','missing').set)
redis.setresp(3) return redis.call('mget','k','missing','k')[3]
redis.setresp(3) return redis.call('set','k','v','GET')
redis.setresp(3) return redis.call('set','none','v','XX') == nil
return redis.call('set','none','v','XX') == false
return redis.call('set','k','v','GET')
return redis.call('set','k','v').ok
return redis.call('zmscore','z','m','missing')
return redis.call('zpopmin','missing')
return redis.call('xread','streams','missing','0')
return redis.call('lmpop','1','missing','LEFT')
redis.setresp(3) return redis.call('lmpop','1','missing','LEFT')
return redis.call('hello')
return {redis.pcall('hello')}
return {{{{}}},{{1}},{{'x',{nil}}}}
redis.setresp(3) return {map={1,2,nil}}
redis.setresp(3) return {set={a=false}}
redis.setresp(3) return {set={1,2}}
redis.setresp(3) return {map={a={map={b=true}}}}
redis.setresp(3) return {map={a=false}}
redis.setresp(3) return {double=0/0}
redis.setresp(3) return {double=-1/0}
return {ok='x',err='y z'}
return {err='y z',double=1}
return {double=1,map={a=1}}
return {map={a=1},set={a=true}}
return {ok='x',1,2}
return {1,2,ok='x'}
return setmetatable({},{__index={ok='x'}})
return setmetatable({1},{__index=function() return 1 end})[1]
""".strip().splitlines()


def generate(chance: random.Random) -> list[bytes]:
    """A script, or what puts values there for it."""
    if chance.random() < 0.2:
        return chance.choice(FILLING)
    return [b"EVAL", chance.choice(SCRIPTS).encode(), b"3", b"k", b"l", b"h", b"one", b"two"]
