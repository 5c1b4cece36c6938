from alcove.engine.context cimport Context
