/* A linear framebuffer of 24 or 32 bits a pixel as a text screen. */
#pragma once

#include "drivers/text_screen.h"
#include "kernel/lib/errors.h"

/* As the loader describes it. */
struct fb_mode {
	uint32_t width; /* pixels */
	uint32_t height;
	uint32_t pitch_bytes; /* from a pixel to the one below it */
	uint8_t bits_per_pixel;
	/* Position and width of each colour in a pixel, in bits. */
	uint8_t red_at, red_bits;
	uint8_t green_at, green_bits;
	uint8_t blue_at, blue_bits;
};

struct fb_text {
	struct text_screen screen;
	volatile uint8_t *memory;
	uint32_t pitch_bytes;
	uint32_t pixel_bytes;
	uint32_t ink;       /* the pixel's value */
	unsigned left, top; /* pixels, to centre the text */
};

/* memory: where the framebuffer is mapped, at least fb_mode_bytes() long. f and cells stay where they are. */
uint64_t fb_mode_bytes(const struct fb_mode *mode);
int fb_text_init(struct fb_text *f, const struct fb_mode *mode, volatile uint8_t *memory, char *cells,
		 size_t cells_bytes) MUST_CHECK;
