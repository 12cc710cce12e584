/* The container (§2): an HDF5 file is checked before its library sees it, all objects before any is used, and each
 * dataset before it is read. Chunks are decoded here.
 */
#ifndef CONTAINER_H
#define CONTAINER_H

#include "basics.h"

#define H5_USE_110_API 1 /* newer releases of libhdf5 serve as well */
#include <hdf5.h>
#include <sys/stat.h>
#include <zlib.h>

/* ---- the container (§2): first bytes, attributes, types ---- */

typedef struct {
    const char *path;
    haddr_t address;
    bool dataset;
} Object;

typedef struct {
    hid_t id;
    uint64_t size, declared; /* `declared`: bytes of all datasets together */
    Object *objects;         /* sorted by path once the file has been walked */
    size_t count;
} File;

/* libhdf5 sees the file only if the superblock is one that it checks well itself. Returns the file's size. */
static uint64_t check_superblock(const char *path) {
    struct stat status;
    uint8_t head[48] = {0};
    uint64_t base, end;
    FILE *stream = stat(path, &status) == 0 && S_ISREG(status.st_mode) ? fopen(path, "rb") : NULL;
    check(stream != NULL, "RX0106", path, "this is not a regular file that can be opened");
    size_t length = fread(head, 1, sizeof head, stream);
    fclose(stream);
    memcpy(&base, head + 12, 8);
    memcpy(&end, head + 28, 8);
    check(memcmp(head, "\x89HDF\r\n\x1a\n", 8) == 0, "RX0101", path, "the HDF5 signature is not at the beginning");
    check(length < 9 || head[8] == 2 || head[8] == 3, "RX0104", path, "the superblock is not of version 2 or 3");
    check(length == sizeof head, "RX0102", path, "the file ends within its superblock");
    check(head[9] == 8 && base == 0, "RX0104", path, "offsets are not of 8 bytes, or the base address is not 0");
    check(head[8] == 2 || !(head[11] & 1), "RX0107", path, "the file is open for writing, or its writer died");
    check(end <= (uint64_t)status.st_size, "RX0102", path, "the file has been cut");
    check(end == (uint64_t)status.st_size, "RX0103", path, "bytes follow the end of the HDF5 file");
    return end;
}

/* Look at the first bytes, then open the file with libhdf5 and nothing that the file could name. */
static File open_file(const char *path) {
    File file = {.size = check_superblock(path)};
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* we say ourselves what is wrong */
    H5PLset_loading_state(0);              /* plugins are code */
    file.id = H5Fopen(path, H5F_ACC_RDONLY, H5P_DEFAULT);
    check(file.id >= 0, "RX0105", path, "libhdf5 cannot open the file");
    return file;
}

/* One fixed-length string, padded or ended by zeros. */
static bool is_string_type(hid_t type) {
    H5T_str_t padding = H5Tget_class(type) == H5T_STRING && !H5Tis_variable_str(type) ? H5Tget_strpad(type) : H5T_STR_ERROR;
    return padding == H5T_STR_NULLPAD || padding == H5T_STR_NULLTERM;
}

static Text without_padding(const char *bytes, size_t length, hid_t type) {
    if (H5Tget_strpad(type) == H5T_STR_NULLTERM) return (Text){bytes, strnlen(bytes, length)};
    while (length && !bytes[length - 1]) length--;
    return (Text){bytes, length};
}

static Text read_attribute(hid_t attribute, const char *path) {
    hid_t type = H5Aget_type(attribute), space = H5Aget_space(attribute);
    check(type >= 0 && space >= 0, "RX0108", path, "an attribute cannot be read");
    size_t size = H5Tget_size(type);
    check(!H5Tcommitted(type), "RX1031", path, "the type of an attribute is committed");
    check(size <= MAX_ATTRIBUTE && H5Aget_storage_size(attribute) <= MAX_ATTRIBUTE, "RX1041", path,
          "an attribute has more than 64 KiB");
    check(is_string_type(type) && H5Sget_simple_extent_type(space) == H5S_SCALAR, "RX1042", path,
          "an attribute is not one fixed-length string");
    char *bytes = take(size + 1, 1);
    check(H5Aread(attribute, type, bytes) >= 0, "RX0108", path, "an attribute cannot be read");
    Text text = without_padding(bytes, size, type);
    check(is_utf8(text), "RX1042", path, "an attribute is not UTF-8");
    H5Tclose(type), H5Sclose(space), H5Aclose(attribute);
    return text;
}

/* Its `bytes` are NULL if the object has no such attribute. */
static Text find_attribute(const File *file, const char *path, const char *name) {
    htri_t found = H5Aexists_by_name(file->id, path, name, H5P_DEFAULT);
    check(found >= 0, "RX0108", path, "the attributes cannot be read");
    return found ? read_attribute(H5Aopen_by_name(file->id, path, name, H5P_DEFAULT, H5P_DEFAULT), path) : (Text){0};
}

/* ---- datasets (§2): what is checked before one is read, and how its chunks are decoded ---- */

enum { SHUFFLE = 1, DEFLATE = 2, FLETCHER32 = 4 };

typedef struct {
    char path[MAX_PATH];
    hid_t id, type;
    const char *dtype; /* NULL for a string */
    size_t size, chunk_bytes;
    uint64_t count;
    int rank, filters;
    bool chunked;
    hsize_t shape[MAX_RANK], chunk[MAX_RANK];
} Dataset;

static size_t dtype_size(const char *dtype) {
    const char *bits = dtype + strcspn(dtype, "0123456789");
    return *bits ? (size_t)atoi(bits) / 8 : 1; /* a bool is a byte */
}

static hid_t small_float(size_t exponent_bits, size_t mantissa_bits, size_t bias) {
    hid_t type = H5Tcopy(H5T_IEEE_F32LE);
    H5Tset_fields(type, 15, mantissa_bits, exponent_bits, 0, mantissa_bits);
    H5Tset_size(type, 2);
    H5Tset_ebias(type, bias);
    return type;
}

/* The number type's name, or NULL if it is not one of §2. */
static const char *dtype_of(hid_t type) {
    const struct { const char *name; hid_t type; } types[] = {
        {"float32", H5T_IEEE_F32LE}, {"float64", H5T_IEEE_F64LE}, {"int8", H5T_STD_I8LE}, {"int16", H5T_STD_I16LE},
        {"int32", H5T_STD_I32LE}, {"int64", H5T_STD_I64LE}, {"uint8", H5T_STD_U8LE}, {"uint16", H5T_STD_U16LE},
        {"uint32", H5T_STD_U32LE}, {"uint64", H5T_STD_U64LE}, {"float16", small_float(5, 10, 15)},
        {"bfloat16", small_float(8, 7, 127)}};
    const char *name = NULL;
    for (size_t i = 0; i < 12; i++) name = H5Tequal(type, types[i].type) > 0 ? types[i].name : name;
    H5Tclose(types[10].type), H5Tclose(types[11].type);
    return name;
}

static void check_type(Dataset *d) {
    H5T_class_t class = H5Tget_class(d->type);
    check(!H5Tcommitted(d->type) && (class == H5T_INTEGER || class == H5T_FLOAT || is_string_type(d->type)), "RX1031",
          d->path, "the type is not an integer, a float or a fixed-length string");
    d->size = H5Tget_size(d->type);
    d->dtype = class == H5T_STRING ? NULL : dtype_of(d->type);
    check(d->dtype || class == H5T_STRING, "RX1032", d->path, "the numbers are not little-endian of a standard type");
}

static void check_shape(Dataset *d, const File *file) {
    bool deep = strncmp(d->path, "/tensors/", 9) == 0 || strncmp(d->path, "/ext/", 5) == 0;
    hid_t space = H5Dget_space(d->id);
    hsize_t largest[H5S_MAX_RANK];
    d->rank = H5Sget_simple_extent_ndims(space);
    check(d->rank >= 0, "RX0108", d->path, "the shape cannot be read");
    check(d->rank <= (deep ? MAX_RANK : 1) && H5Sget_simple_extent_type(space) != H5S_NULL, "RX1033", d->path,
          "the rank is not allowed here");
    H5Sget_simple_extent_dims(space, d->shape, largest);
    H5Sclose(space);
    Wide most = (Wide)1100 * file->size, bytes = d->size;
    bool empty = false;
    for (int i = 0; i < d->rank; i++) {
        check(largest[i] == d->shape[i], "RX1022", d->path, "the dataset can grow");
        empty = empty || !d->shape[i];
        bytes = d->shape[i] && bytes <= most ? bytes * d->shape[i] : bytes;
    }
    check(empty || bytes <= most, "RX1020", d->path, "the dataset declares more bytes than the file can hold");
    d->count = empty ? 0 : (uint64_t)bytes / d->size;
}

static void check_filters(Dataset *d, hid_t plist) {
    static const H5Z_filter_t order[] = {H5Z_FILTER_SHUFFLE, H5Z_FILTER_DEFLATE, H5Z_FILTER_FLETCHER32};
    for (int i = 0, place = 0, count = H5Pget_nfilters(plist); i < count; i++, place++) {
        unsigned flags, options, values[8] = {0};
        size_t length = 8;
        H5Z_filter_t filter = H5Pget_filter2(plist, (unsigned)i, &flags, &length, values, 0, NULL, NULL);
        while (place < 3 && order[place] != filter) place++;
        check(place < 3 && (place != 0 || values[0] == d->size), "RX1013", d->path,
              "filters are not shuffle by element, deflate, fletcher32, in this order");
        check(H5Pget_chunk_opts(plist, &options) >= 0 && !options, "RX1021", d->path, "chunks at the edge skip filters");
        d->filters |= 1 << place;
    }
}

static void check_fill(const Dataset *d, hid_t plist) {
    H5D_fill_value_t status;
    check(H5Pfill_value_defined(plist, &status) >= 0, "RX0108", d->path, "the fill value cannot be read");
    char *fill = take(d->size, 1);
    if (status == H5D_FILL_VALUE_USER_DEFINED) H5Pget_fill_value(plist, d->type, fill);
    for (size_t i = 0; i < d->size; i++) check(!fill[i], "RX1023", d->path, "the fill value is not zero");
}

static Dataset open_dataset(const File *file, const char *path) {
    Dataset d = {.id = H5Dopen2(file->id, path, H5P_DEFAULT)};
    hid_t plist = H5Dget_create_plist(d.id);
    snprintf(d.path, sizeof d.path, "%s", path);
    d.type = H5Dget_type(d.id);
    check(d.type >= 0 && plist >= 0, "RX0108", path, "the dataset cannot be opened");
    check(H5Pget_external_count(plist) == 0, "RX1011", path, "the data lie in another file");
    check(H5Pget_layout(plist) != H5D_VIRTUAL, "RX1012", path, "the dataset is virtual");
    check_type(&d);
    check_shape(&d, file);
    check_filters(&d, plist);
    d.chunked = H5Pget_layout(plist) == H5D_CHUNKED;
    check(!d.chunked || H5Pget_chunk(plist, MAX_RANK, d.chunk) == d.rank, "RX1014", path, "chunks are of another rank");
    d.chunk_bytes = d.size;
    for (int i = 0; i < d.rank && d.chunked; i++) {
        check(d.chunk[i] && d.chunk[i] <= MAX_CHUNK / d.chunk_bytes, "RX1014", path, "a chunk has more than 16 MiB");
        d.chunk_bytes *= d.chunk[i];
    }
    check(d.filters || d.count * d.size <= file->size, "RX1020", path, "the dataset declares more than the file has");
    check_fill(&d, plist);
    H5Pclose(plist);
    return d;
}

static void close_dataset(const Dataset *d) {
    H5Tclose(d->type), H5Dclose(d->id);
}

static uint32_t fletcher32(const uint8_t *data, size_t length) {
    uint32_t one = 0, two = 0;
    for (size_t i = 0; i < length; i += 2) { /* big-endian units of 16 bits */
        one += (uint32_t)data[i] << 8 | (i + 1 < length ? data[i + 1] : 0);
        one = (one & 0xFFFF) + (one >> 16); /* not % 65535: HDF5 writes a sum of 65535 as it is */
        two += one;
        two = (two & 0xFFFF) + (two >> 16);
    }
    return two << 16 | one;
}

/* One zlib stream of exactly the chunk's size, nothing after it. `out` has room for one byte more. */
static void inflate_chunk(const Dataset *d, uint8_t *stored, size_t length, uint8_t *out) {
    z_stream z = {.next_in = stored, .avail_in = (uInt)length, .next_out = out, .avail_out = (uInt)d->chunk_bytes + 1};
    check(inflateInit(&z) == Z_OK, "RX0199", d->path, "out of memory");
    int state = inflate(&z, Z_FINISH);
    check(z.avail_out > 0, "RX1016", d->path, "a chunk decodes to more than its size");
    check(state == Z_STREAM_END, "RX1018", d->path, "a chunk does not decode");
    check(z.avail_out == 1, "RX1017", d->path, "a chunk decodes to less than its size");
    check(z.avail_in == 0, "RX1017", d->path, "bytes follow a chunk's stream");
    inflateEnd(&z);
}

/* Undo the filters, last one first, between two buffers; returns the one with the chunk. */
static uint8_t *decode_chunk(const Dataset *d, uint8_t *stored, size_t length, uint8_t *work) {
    size_t count = d->chunk_bytes / d->size;
    if (d->filters & FLETCHER32) {
        uint32_t sum = 0;
        check(length >= sizeof sum, "RX1017", d->path, "a chunk is shorter than its checksum");
        length -= sizeof sum;
        memcpy(&sum, stored + length, sizeof sum);
        check(fletcher32(stored, length) == sum, "RX1019", d->path, "the checksum of a chunk is wrong");
    }
    uint8_t *data = d->filters & DEFLATE ? work : stored, *other = d->filters & DEFLATE ? stored : work;
    if (data == work) inflate_chunk(d, stored, length, work);
    else check(length == d->chunk_bytes, length > d->chunk_bytes ? "RX1016" : "RX1017", d->path, "a chunk has another size");
    if (!(d->filters & SHUFFLE)) return data;
    for (size_t k = 0; k < d->size; k++)
        for (size_t i = 0; i < count; i++) other[i * d->size + k] = data[k * count + i];
    return other;
}

/* Step through a box, last axis first; false after its last place. */
static bool advance(hsize_t *index, const hsize_t *step, const hsize_t *limit, int rank) {
    for (int i = rank; i-- > 0; index[i] = 0)
        if ((index[i] += step[i]) < limit[i]) return true;
    return false;
}

/* Copy what of a chunk lies inside the dataset, by rows of the last axis. */
static void place_chunk(const Dataset *d, const hsize_t *corner, const uint8_t *chunk, uint8_t *out) {
    static const hsize_t one[MAX_RANK] = {1, 1, 1, 1, 1, 1, 1, 1};
    hsize_t part[MAX_RANK], index[MAX_RANK] = {0};
    for (int i = 0; i < d->rank; i++) {
        hsize_t left = d->shape[i] - corner[i];
        part[i] = left < d->chunk[i] ? left : d->chunk[i];
    }
    do {
        uint64_t to = 0, from = 0;
        for (int i = 0; i < d->rank; i++) {
            to = to * d->shape[i] + corner[i] + index[i];
            from = from * d->chunk[i] + index[i];
        }
        memcpy(out + to * d->size, chunk + from * d->size, part[d->rank - 1] * d->size);
    } while (advance(index, one, part, d->rank - 1));
}

/* Before any is looked up: for one that is not there libhdf5 may report an error or no bytes. */
static void check_chunk_count(const Dataset *d) {
    hsize_t expected = 1, found = 0;
    hid_t space = H5Dget_space(d->id);
    for (int i = 0; i < d->rank; i++) expected *= (d->shape[i] - 1) / d->chunk[i] + 1;
    check(H5Dget_num_chunks(d->id, space, &found) >= 0, "RX0108", d->path, "the index of chunks cannot be read");
    check(found == expected, "RX1015", d->path, "%llu of %llu chunks are there", (Shown)found, (Shown)expected);
    H5Sclose(space);
}

/* libhdf5 finds the chunks; it does not decode them, because its filters believe the sizes that a stream claims. */
static void read_chunks(const Dataset *d, uint8_t *out) {
    size_t room = d->chunk_bytes + d->chunk_bytes / 8 + 64; /* deflate makes nothing larger than this */
    uint8_t *stored = take(room, 1), *work = take(room, 1);
    check_chunk_count(d);
    hsize_t corner[MAX_RANK] = {0}, length = 0;
    do {
        uint32_t skipped = 0;
        check(H5Dget_chunk_storage_size(d->id, corner, &length) >= 0, "RX0108", d->path, "chunks cannot be found");
        check(length > 0, "RX1015", d->path, "a chunk is not there");
        check(length <= room, "RX1017", d->path, "a chunk is stored in more bytes than it can need");
        check(H5Dread_chunk(d->id, H5P_DEFAULT, corner, &skipped, stored) >= 0, "RX1018", d->path, "a chunk cannot be read");
        check(!skipped, "RX1021", d->path, "a chunk skips a filter");
        place_chunk(d, corner, decode_chunk(d, stored, length, work), out);
    } while (advance(corner, d->chunk, d->shape, d->rank));
}

/* All elements, in C order. */
static void *read_dataset(const Dataset *d) {
    uint8_t *out = take(d->count, d->size);
    const Block *mark = top_block;
    if (!d->count) return out;
    if (d->chunked) {
        read_chunks(d, out);
    } else {
        check(H5Dget_storage_size(d->id) == d->count * d->size, "RX1015", d->path, "the data are not there");
        check(H5Dread(d->id, d->type, H5S_ALL, H5S_ALL, H5P_DEFAULT, out) >= 0, "RX1018", d->path, "the data cannot be read");
    }
    give_back_to(mark);
    return out;
}

/* ---- the walk over all objects (§2) ---- */

typedef struct {
    File *file;
    char path[MAX_PATH];
    int depth;
    haddr_t above[MAX_DEPTH + 1]; /* the groups that hold what is looked at */
} Walk;

static void walk_object(Walk *walk);

static herr_t walk_link(hid_t group, const char *name, const H5L_info_t *link, void *data) {
    Walk *walk = data;
    size_t length = strlen(walk->path), plain = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_.-");
    (void)group;
    check(link->type != H5L_TYPE_SOFT, "RX1001", walk->path, "%.64s is a soft link", name);
    check(link->type != H5L_TYPE_EXTERNAL, "RX1002", walk->path, "%.64s is an external link", name);
    check(link->type == H5L_TYPE_HARD, "RX1003", walk->path, "%.64s is a user-defined link", name);
    check(plain >= 1 && plain <= 64 && !name[plain] && strcmp(name, ".") != 0 && strcmp(name, "..") != 0, "RX1007",
          walk->path, "the name %.64s is not allowed", name);
    snprintf(walk->path + length, sizeof walk->path - length, "%s%s", length > 1 ? "/" : "", name);
    walk->depth++;
    walk_object(walk);
    walk->depth--;
    walk->path[length] = 0;
    return 0;
}

static void walk_group(Walk *walk, hid_t group, haddr_t address) {
    for (int i = 0; i < walk->depth; i++)
        check(walk->above[i] != address, "RX1005", walk->path, "the group contains itself");
    check(walk->depth <= MAX_DEPTH, "RX1006", walk->path, "groups nest deeper than %d", MAX_DEPTH);
    walk->above[walk->depth] = address;
    check(H5Literate(group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, walk_link, walk) >= 0, "RX0108", walk->path,
          "the group cannot be listed");
}

/* Check the object at the walk's path: its attributes, then itself as a dataset or a group. */
static void walk_object(Walk *walk) {
    File *file = walk->file;
    hid_t id = H5Oopen(file->id, walk->path, H5P_DEFAULT);
    H5O_info_t info;
    check(id >= 0 && H5Oget_info(id, &info) >= 0, "RX0108", walk->path, "the object cannot be opened");
    check(file->count < MAX_OBJECTS, "RX1006", walk->path, "the file has more than %d objects", MAX_OBJECTS);
    check(info.num_attrs <= MAX_ATTRIBUTES, "RX1041", walk->path, "it has more than %d attributes", MAX_ATTRIBUTES);
    char *path = strcpy(take(strlen(walk->path) + 1, 1), walk->path);
    file->objects = grow(file->objects, file->count, sizeof *file->objects);
    file->objects[file->count++] = (Object){path, info.addr, info.type == H5O_TYPE_DATASET};
    const Block *mark = top_block;
    for (hsize_t i = 0; i < info.num_attrs; i++)
        read_attribute(H5Aopen_by_idx(id, ".", H5_INDEX_NAME, H5_ITER_NATIVE, i, H5P_DEFAULT, H5P_DEFAULT), path);
    if (info.type == H5O_TYPE_DATASET) {
        Dataset d = open_dataset(file, path);
        file->declared += d.count * d.size;
        check(file->declared <= 1100 * file->size, "RX1020", path, "all datasets declare more than the file can hold");
        close_dataset(&d);
    }
    give_back_to(mark);
    if (info.type == H5O_TYPE_GROUP) walk_group(walk, id, info.addr);
    else check(info.type == H5O_TYPE_DATASET, "RX1031", path, "this is neither a group nor a dataset");
    H5Oclose(id);
}

static int compare_addresses(const void *a, const void *b) {
    return compare_u64(&((const Object *)a)->address, &((const Object *)b)->address);
}

static int compare_paths(const void *a, const void *b) {
    return strcmp(((const Object *)a)->path, ((const Object *)b)->path);
}

static void walk_file(File *file) {
    Walk walk = {.file = file, .path = "/"};
    walk_object(&walk);
    Object *objects = file->objects;
    qsort(objects, file->count, sizeof *objects, compare_addresses);
    for (size_t i = 1; i < file->count; i++)
        check(objects[i].address != objects[i - 1].address, "RX1004", objects[i].path, "the object has a second path");
    qsort(objects, file->count, sizeof *objects, compare_paths);
}

/* The first object whose path is not before the prefix; those that begin with it follow. */
static size_t find_first(const File *file, const char *prefix) {
    size_t low = 0, high = file->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (strcmp(file->objects[middle].path, prefix) < 0) low = middle + 1;
        else high = middle;
    }
    return low;
}

/* What follows the prefix in the path of object i, or NULL. */
static const char *name_below(const File *file, size_t i, const char *prefix) {
    size_t length = strlen(prefix);
    return i < file->count && !strncmp(file->objects[i].path, prefix, length) ? file->objects[i].path + length : NULL;
}

static void need_dataset(const File *file, const char *path, const char *code) {
    size_t i = find_first(file, path);
    const char *rest = name_below(file, i, path);
    check(rest && !*rest && file->objects[i].dataset, code, path, "the dataset is missing");
}

#endif
