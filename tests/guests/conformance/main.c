/* Does what the entity `way` says; see tests/it/black_box/conformance. */

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define JSMN_STATIC
#define JSMN_PARENT_LINKS
#include "../../../examples/price-c/jsmn.h"

static char text[512 << 10];
static jsmntok_t tokens[4096];
static int count;

static bool is(int at, const char *word)
{
    if (at < 0 || tokens[at].type != JSMN_STRING)
        return false;
    size_t length = tokens[at].end - tokens[at].start;
    return length == strlen(word) && memcmp(text + tokens[at].start, word, length) == 0;
}

/* The value of a key of an object, or -1. */
static int member(int object, const char *key)
{
    if (object < 0 || tokens[object].type != JSMN_OBJECT)
        return -1;
    for (int at = object + 1; at + 1 < count; at++)
        if (tokens[at].parent == object && is(at, key))
            return at + 1;
    return -1;
}

/* The first value of an entity, or -1. */
static int first(const char *entity)
{
    int list = member(member(0, "entities"), entity);
    if (list < 0 || tokens[list].type != JSMN_ARRAY || tokens[list].size == 0)
        return -1;
    return member(list + 1, "entity_value");
}

/* The token as it stands in the event, so that what is escaped stays escaped. */
static void put(int at)
{
    if (at >= 0)
        fwrite(text + tokens[at].start, 1, tokens[at].end - tokens[at].start, stdout);
}

static int says(const char *said)
{
    printf("{\"status\": true, \"response\": [\"%s\"]}", said);
    return 0;
}

static int greet(int name)
{
    if (name < 0)
        return says("नमस्ते");
    printf("{\"response\": [\"नमस्ते ");
    put(name);
    printf(" 😊\"]}");
    return 0;
}

static int details(int name)
{
    printf("{\"response\": [\"kept\"], \"conversation_details\": {\"step\": \"2\"}, \"user_details\": {\"city\": \"");
    put(name);
    printf("\"}}");
    return 0;
}

static int amount(void)
{
    int amount = first("amount");
    printf("{\"response\": [\"");
    put(member(amount, "value"));
    putchar(' ');
    put(member(amount, "unit"));
    printf("\"]}");
    return 0;
}

static int clock_now(void)
{
    printf("{\"response\": [\"%lld\"]}", (long long)time(NULL));
    return 0;
}

static int drawn(void)
{
    unsigned char bytes[16];
    if (getentropy(bytes, sizeof bytes) != 0)
        return 1;
    printf("{\"response\": [\"");
    for (size_t at = 0; at < sizeof bytes; at++)
        printf("%02x", bytes[at]);
    printf("\"]}");
    return 0;
}

static int counted(void)
{
    static int runs;
    printf("{\"response\": [\"%d\"]}", ++runs);
    return 0;
}

static int eat(void)
{
    for (;;) {
        char *volatile eaten = malloc(1 << 20);
        if (eaten == NULL)
            abort();
        memset(eaten, 1, 1 << 20);
    }
}

static int descend(volatile int *above)
{
    volatile int here = *above + 1;
    return here == 0 ? 0 : descend(&here) + here;
}

static int loop(void)
{
    for (volatile int turn = 0;; turn++)
        ;
}

static int long_reply(void)
{
    printf("{\"response\": [\"");
    for (int at = 0; at < 300 << 10; at++)
        putchar('x');
    printf("\"]}");
    return 0;
}

static int calls(void)
{
    for (int call = 0; call < 20000; call++)
        fprintf(stderr, "%d\n", call);
    return says("called");
}

static int logs(int name)
{
    fprintf(stderr, "%.*s was here\n", tokens[name].end - tokens[name].start, text + tokens[name].start);
    return says("logged");
}

static int remember(void)
{
    printf("{\"response\": [\"");
    put(member(member(0, "user_details"), "city"));
    printf("\"]}");
    return 0;
}

static int rest(int microseconds, const char *said)
{
    usleep(microseconds);
    return says(said);
}

int main(void)
{
    jsmn_parser parser;
    size_t length = fread(text, 1, sizeof text, stdin);
    jsmn_init(&parser);
    count = jsmn_parse(&parser, text, length, tokens, sizeof tokens / sizeof *tokens);
    int way = first("way"), name = first("name"), zero = 0;
    if (is(way, "greet")) return greet(name);
    if (is(way, "element"))
        return puts("{\"response\": [{\"text\": \"Sure?\", \"type\": \"BUTTON\", \"data\": {\"items\": [{\"actionable_text\": \"Yes\", "
                    "\"type\": \"TEXT_ONLY\", \"payload\": {\"message\": \"Yes\"}}]}}]}") < 0;
    if (is(way, "details")) return details(name);
    if (is(way, "decline")) return puts("{\"status\": false, \"response\": [\"Sorry.\"]}") < 0;
    if (is(way, "amount")) return amount();
    if (is(way, "branch"))
        return puts("{\"response\": [\"gold\"], \"tier\": {\"name\": \"gold\", \"points\": [1, 2.5]}}") < 0;
    if (is(way, "clock")) return clock_now();
    if (is(way, "random")) return drawn();
    if (is(way, "wait")) return rest(50000, "rested");
    if (is(way, "count")) return counted();
    if (is(way, "trap")) __builtin_trap();
    if (is(way, "exit")) return 3;
    if (is(way, "not_json")) return puts("{\"response\": [\"half a rep") < 0;
    if (is(way, "wrong_shape")) return puts("{\"response\": [7]}") < 0;
    if (is(way, "empty")) return puts("{\"response\": []}") < 0;
    if (is(way, "long")) return long_reply();
    if (is(way, "sleep")) return rest(60000000, "rested");
    if (is(way, "loop")) return loop();
    if (is(way, "eat")) return eat();
    if (is(way, "recurse")) return descend(&zero);
    if (is(way, "calls")) return calls();
    if (is(way, "log")) return logs(name);
    if (is(way, "remember")) return remember();
    fputs("no such way\n", stderr);
    return 1;
}
