/* A bitmap font for ASCII. */
#pragma once

#include "kernel/lib/compiler.h"

#define FONT_WIDTH 8u
#define FONT_HEIGHT 16u
#define FONT_FIRST 0x20u
#define FONT_LAST 0x7eu

uint8_t font_row(char c, unsigned y);
