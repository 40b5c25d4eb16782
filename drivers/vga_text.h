/* The VGA's text mode, 80 by 25, as a text screen. */
#pragma once

#include "drivers/hw_io.h"
#include "drivers/text_screen.h"

#define VGA_TEXT_HPA 0xb8000ull
#define VGA_TEXT_BYTES 0x1000ull
#define VGA_TEXT_COLUMNS 80u
#define VGA_TEXT_ROWS 25u

struct vga_text {
	struct text_screen screen;
	const struct hw_io *hw;
	volatile uint16_t *memory;
	char cells[2 * VGA_TEXT_COLUMNS * VGA_TEXT_ROWS];
};

/* memory: where VGA_TEXT_HPA is mapped, VGA_TEXT_BYTES long. v stays where it is. */
void vga_text_init(struct vga_text *v, const struct hw_io *hw, volatile uint16_t *memory);
