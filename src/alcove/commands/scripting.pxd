from alcove.engine.context cimport Context
from alcove.engine.engine cimport Engine
from alcove.numeric cimport parse_bounded
from alcove.scripting.runtime cimport Runtime, Script, runtime_of
