/* SPDX-License-Identifier: Apache-2.0 */
/* Given to cppcheck before each source: the shape of macros from headers that it does not read. */
#define LIBBPF_OPTS(type, name, ...) struct type name = { 0 }
#define bpf_object__for_each_map(map, object) for (map = next(object); map; map = next(object))
#define bpf_object__for_each_program(program, object) for (program = next(object); program; program = next(object))
#define json_object_foreach(object, key, value) for (key = next(object); key && (value = get(object)); key = next(object))
#define json_array_foreach(array, i, value) for (i = 0; i < size(array) && (value = get(array)); i++)
