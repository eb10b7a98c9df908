/* How a node leaves without losing a request (docs/PROTOCOL.md part 2, GOAWAY), for spin.
 *
 * A client asks a provider, which goes to rest at any moment. The provider says GOAWAY and a PING
 * behind it, takes what still comes until the PING is answered, finishes what runs, and closes. Who
 * has heard GOAWAY asks somebody else.
 *
 *     -DNO_PING      it closes as soon as nothing runs: a request that was on its way is lost
 *     -DPING_FIRST   the PING before the GOAWAY: its answer does not mean that GOAWAY was heard */

#define N 3 /* requests */

mtype = { REQUEST, ANSWER, GOAWAY, PING, PONG };

chan up = [N + 1] of { mtype, byte };   /* client to provider, in order */
chan down = [N + 2] of { mtype, byte }; /* and back */

byte n_done[N];        /* how often each request was done, here or elsewhere */
bool is_closed = false; /* by the provider; what it sent before still arrives */

proctype client() {
    byte n_left = N;
    byte n_waiting = 0;
    bool is_leaving = false;
    byte i;

    do
    :: n_left > 0 && !is_leaving -> n_left--; up!REQUEST(n_left); n_waiting++
    :: n_left > 0 && is_leaving -> n_left--; n_done[n_left]++ /* elsewhere */
    :: down?ANSWER(i) -> n_waiting--
    :: down?GOAWAY(_) -> is_leaving = true
    :: down?PING(_) -> up!PONG(0)
    :: is_closed && empty(down) && n_left == 0 -> break
    od;
    assert(n_waiting == 0); /* nothing was lost */
    assert(is_leaving);     /* and it was told */
    i = 0;
    do
    :: i < N -> assert(n_done[i] == 1); i++ /* nor was anything done twice */
    :: i == N -> break
    od
}

proctype provider() {
    byte running[N];
    byte n_running = 0;
    bool is_leaving = false;
    bool is_heard = false;
    byte i;

    do
    :: up?REQUEST(i) -> running[n_running] = i; n_running++
    :: up?PONG(_) -> is_heard = true
    :: n_running > 0 ->
        n_running--;
        n_done[running[n_running]]++;
        down!ANSWER(running[n_running])
    :: !is_leaving ->
        is_leaving = true;
#ifdef PING_FIRST
        down!PING(0);
        down!GOAWAY(0)
#elif defined(NO_PING)
        down!GOAWAY(0);
        is_heard = true
#else
        down!GOAWAY(0);
        down!PING(0)
#endif
    :: is_heard && n_running == 0 -> break
    od;
    is_closed = true
}

init { atomic { run client(); run provider() } }
