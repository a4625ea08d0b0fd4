/* SPDX-License-Identifier: Apache-2.0
 * Where the words of `bagel_last_error` are kept, for the functions behind bagel.h; not a header for users. In: a text. */
#ifndef BAGEL_ERROR_TEXT_H
#define BAGEL_ERROR_TEXT_H

/* Keeps the beginning of a text for this thread. */
void keep_error_text(const char *text);

#endif
