/* script.h - private: TorchScript archives. */
#ifndef FORMAT_SCRIPT_H
#define FORMAT_SCRIPT_H

#include "interpret.h"

/* Reads parameter lists from the archive's code/ when they are asked for. NULL: out of memory. */
struct script *script_new(struct box *box, struct str folder);
void script_free(struct script *s);

#endif
