// SPDX-License-Identifier: Apache-2.0
// Each thread's last error. In: texts in UTF-8. Out: the last one, cut at a character's end.

#include "bagel.h"
#include "error_text.h"

#include <string.h>

static _Thread_local char kept[2048];

void keep_error_text(const char *text) {
  size_t length = strlen(text);
  if (length >= sizeof kept) {
    length = sizeof kept - 1;
    // Bytes 10xxxxxx go on with a character.
    while (length > 0 && ((unsigned char)text[length] & 0xC0) == 0x80) length--;
  }
  memcpy(kept, text, length);
  kept[length] = 0;
}

const char *bagel_last_error(void) { return kept; }
