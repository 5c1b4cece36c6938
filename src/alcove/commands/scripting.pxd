from alcove.engine.context cimport Context
from alcove.scripting.runtime cimport Runtime, runtime_of
