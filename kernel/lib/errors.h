/* Error numbers. A function that can fail returns 0 or one of these, negative; results go through a last out-pointer. */
#pragma once

enum {
	ERR_INVAL = -1,   /* an argument or a field has a value the rules do not allow */
	ERR_NOMEM = -2,   /* no memory of the size or alignment asked for */
	ERR_RANGE = -3,   /* outside what the object covers, or base + length wraps */
	ERR_OVERLAP = -4, /* the range is somebody else's already */
	ERR_ALIGN = -5,   /* not aligned as required */
	ERR_FORMAT = -6,  /* bytes that are not what they claim to be */
	ERR_TRUNC = -7,   /* the data ends before the thing it describes */
	ERR_NOENT = -8,   /* no such name, entry or device */
	ERR_EXIST = -9,   /* the name is taken */
	ERR_STATE = -10,  /* not legal in the state the object is in */
	ERR_NOSUP = -11,  /* this machine, or this program, does not have it */
	ERR_FULL = -12,   /* a table or queue has no room */
	ERR_FAULT = -13,  /* the processor or the device refused */
	ERR_TIMEOUT = -14,
	ERR_AGAIN = -15 /* not now, and nothing is wrong */
};

/* The error in words, for a message: "no memory". Never NULL. */
const char *err_str(int err);
