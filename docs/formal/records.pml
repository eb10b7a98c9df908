/* Records, their keys and their nonces (docs/PROTOCOL.md part 2), for spin: one direction, whose key
 * is replaced after R records. Memory may be short at any moment, so that a record, or the step to
 * the next key, fails and is tried again.
 *
 *     -DCOUNTER_FIRST   the counter is set back before the new key is in place: when that fails,
 *                       the old key meets its first nonce again */

#define R 3 /* records under one key; 2^24 in truth */
#define M 8 /* records in all */

chan wire = [1] of { byte, byte }; /* key and nonce under which a record was sealed */
bool is_used[16];                  /* 4 * key + nonce */

proctype sender() {
    byte cipher = 0, next = 0, counter = 0, n = 0;

    do
    :: n == M -> break
    :: n < M && counter == R ->
#ifdef COUNTER_FIRST
        next++;
        counter = 0;
        if
        :: cipher = next
        :: skip /* no memory */
        fi
#else
        if
        :: next++; cipher = next; counter = 0
        :: skip /* no memory */
        fi
#endif
    :: n < M && counter < R ->
        if
        :: assert(!is_used[4 * cipher + counter]); /* no nonce twice under one key */
            is_used[4 * cipher + counter] = true;
            wire!cipher, counter;
            counter++;
            n++
        :: skip /* no memory */
        fi
    od
}

proctype receiver() {
    byte key = 0, counter = 0, n = 0;

    do
    :: n == M -> break
    :: n < M ->
        if
        :: counter == R -> key++; counter = 0
        :: else
        fi;
        wire?eval(key), eval(counter); /* what it cannot open ends here: an invalid end state */
        counter++;
        n++
    od
}

init { atomic { run sender(); run receiver() } }
