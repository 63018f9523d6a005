/* SPDX-License-Identifier: ISC */
/*
 * statusdoc.h: the answers to the control requests `tender` and `status` as the one document that
 * `postern status -j` prints and `postern web` serves: "schema", "appliance", "platform", "tender" (objects,
 * absent until they are there), "ports", "clients" and "drops" (arrays).
 */
#ifndef STATUSDOC_H
#define STATUSDOC_H

#include <jansson.h>

/* With empty arrays; the caller's. */
json_t *statusdoc_new(void);
/* For answer_each. Both keep the object by reference, without its type. */
void statusdoc_take(void *document, json_t *object);
void statusdoc_take_tender(void *document, json_t *object);

#endif
