from alcove.engine.channels cimport Audience, Channels
from alcove.engine.context cimport Context
