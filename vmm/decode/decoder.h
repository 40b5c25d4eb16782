/* Inside the decoder only: the state of decoding one instruction, and its byte reader. The first error sticks; after it,
 * bytes read as 0, so that the code needs no check after each byte. */
#pragma once

#include "kernel/lib/compiler.h"
#include "kernel/lib/errors.h"
#include "vmm/decode/decode.h"
#include "vmm/decode/optable.h"

struct decoder {
	const uint8_t *bytes;
	size_t count;
	size_t pos;
	int err;
	uint8_t segment; /* the override, or INSN_SEG_NONE */
	struct insn *insn;
};

static inline void decoder_fail(struct decoder *d, int err)
{
	if (!d->err)
		d->err = err;
}

static inline uint8_t decoder_u8(struct decoder *d)
{
	if (unlikely(d->err != 0))
		return 0;
	if (unlikely(d->pos == INSN_MAX_LENGTH))
		d->err = ERR_FORMAT;
	else if (unlikely(d->pos == d->count))
		d->err = ERR_TRUNC;
	else
		return d->bytes[d->pos++];
	return 0;
}

/* The next byte, left where it is; 0 when there is none. */
static inline uint8_t decoder_peek(const struct decoder *d)
{
	return d->pos < d->count && d->pos < INSN_MAX_LENGTH ? d->bytes[d->pos] : 0;
}

/* A little-endian number of 1, 2, 4 or 8 bytes, sign-extended. */
static inline int64_t decoder_signed(struct decoder *d, unsigned size)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < size; i++)
		v |= (uint64_t)decoder_u8(d) << (8 * i);
	return (int64_t)(v << (64 - 8 * size)) >> (64 - 8 * size);
}

void operands_resolve(struct decoder *d, const struct opcode_row *row);
