/* Memory that calls use and give back, so that most take none. */
#ifndef RADIXFMT_BUFFERS_H
#define RADIXFMT_BUFFERS_H

#include <stddef.h>
#include <stdint.h>

typedef struct rx_buffer {
    struct rx_buffer *next;
    size_t bytes;
    uint64_t key; /* of what its last user left in it; 0: of nothing */
    float *floats;
} rx_buffer;

typedef struct {
    int lock;
    rx_buffer *free; /* buffers that no call uses now */
} rx_buffers;

/* Return a buffer of at least so many floats, one that was given back where there is one; NULL
   where memory is short. */
rx_buffer *rx_take(rx_buffers *buffers, size_t floats);
void rx_give(rx_buffers *buffers, rx_buffer *buffer);

/* Free all that were given back. */
void rx_drop(rx_buffers *buffers);

/* Return room for `count` elements, from a cache line on, or NULL. */
void *rx_room(size_t count, size_t size);

#endif
