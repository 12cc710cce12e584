/* Memory that calls use and give back. */
#include <stdlib.h>

#include "buffers.h"

static void lock(rx_buffers *buffers) {
    while (__atomic_exchange_n(&buffers->lock, 1, __ATOMIC_ACQUIRE)) {
    }
}

static void unlock(rx_buffers *buffers) { __atomic_store_n(&buffers->lock, 0, __ATOMIC_RELEASE); }

void *rx_room(size_t count, size_t size) {
    void *made = NULL;
    size_t bytes = (count * size + 63) / 64 * 64;
    return posix_memalign(&made, 64, bytes ? bytes : 64) ? NULL : made;
}

rx_buffer *rx_take(rx_buffers *buffers, size_t floats) {
    const size_t bytes = floats * 4;
    lock(buffers);
    rx_buffer *buffer = buffers->free;
    if (buffer) buffers->free = buffer->next;
    unlock(buffers);
    if (!buffer && !(buffer = calloc(1, sizeof *buffer))) return NULL;
    if (buffer->bytes < bytes) {
        free(buffer->floats);
        if (!(buffer->floats = rx_room(floats, 4))) return free(buffer), NULL;
        buffer->bytes = bytes;
        buffer->key = 0;
    }
    return buffer;
}

void rx_give(rx_buffers *buffers, rx_buffer *buffer) {
    lock(buffers);
    buffer->next = buffers->free;
    buffers->free = buffer;
    unlock(buffers);
}

void rx_drop(rx_buffers *buffers) {
    while (buffers->free) {
        rx_buffer *buffer = buffers->free;
        buffers->free = buffer->next;
        free(buffer->floats);
        free(buffer);
    }
}
