from alcove.client.fast cimport execute
