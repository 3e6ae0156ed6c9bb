/* The price of a product: the event comes on standard input, the reply goes to standard output. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSMN_STATIC
#define JSMN_PARENT_LINKS
#include "jsmn.h"

/* JSON as jsmn sees it: the text, and tokens in the order in which they begin. */
struct json {
    char *text;
    jsmntok_t *tokens;
    int count;
};

static char *read_all(FILE *file, size_t *length)
{
    size_t room = 4096;
    char *text = malloc(room);
    *length = 0;
    while (text != NULL && (*length += fread(text + *length, 1, room - *length, file)) == room)
        text = realloc(text, room *= 2);
    return text;
}

static bool parse(struct json *json, FILE *file)
{
    jsmn_parser parser;
    size_t length;
    json->text = read_all(file, &length);
    if (json->text == NULL)
        return false;
    jsmn_init(&parser);
    json->count = jsmn_parse(&parser, json->text, length, NULL, 0);
    if (json->count <= 0 || (json->tokens = calloc(json->count, sizeof *json->tokens)) == NULL)
        return false;
    jsmn_init(&parser);
    return jsmn_parse(&parser, json->text, length, json->tokens, json->count) > 0;
}

static bool is(const struct json *json, int at, const char *text)
{
    if (at < 0 || json->tokens[at].type != JSMN_STRING)
        return false;
    size_t length = json->tokens[at].end - json->tokens[at].start;
    return length == strlen(text) && memcmp(json->text + json->tokens[at].start, text, length) == 0;
}

/* The first item of a list, or -1. */
static int first(const struct json *json, int list)
{
    return list >= 0 && json->tokens[list].type == JSMN_ARRAY && json->tokens[list].size > 0 ? list + 1 : -1;
}

/* The value of a key of an object, or -1. */
static int member(const struct json *json, int object, const char *key)
{
    if (object < 0 || json->tokens[object].type != JSMN_OBJECT)
        return -1;
    for (int at = object + 1; at + 1 < json->count; at++)
        if (json->tokens[at].parent == object && is(json, at, key))
            return at + 1;
    return -1;
}

int main(void)
{
    struct json event = {0};
    if (!parse(&event, stdin)) {
        fputs("the event is no JSON\n", stderr);
        return 1;
    }
    int named = first(&event, member(&event, member(&event, 0, "entities"), "product_name"));
    int product = member(&event, named, "entity_value");
    if (is(&event, product, "speaker"))
        puts("{\"status\": true, \"response\": [\"The price of the speaker is ₹1500.\"]}");
    else if (is(&event, product, "powerbank"))
        puts("{\"status\": true, \"response\": [\"The price of the powerbank is ₹1000.\"]}");
    else
        puts("{\"status\": false, \"response\": [\"Sorry, we don't sell that.\"]}");
    return 0;
}
