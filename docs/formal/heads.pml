/* Large heads in pieces (docs/PROTOCOL.md §2.3), for spin. A sender has heads of SIZE units, in pieces
 * that nothing comes between, and other packets; memory may be short at any moment, and then it
 * closes if a part of a head was sent. A receiver puts the pieces together, and takes what it must not
 * be sent for a fault. It holds one incomplete head at most, tells whole heads only, and finds
 * no fault with an honest sender.
 *
 *     -DHOSTILE      the peer sends anything: the receiver's bounds hold all the same
 *     -DGO_ON        a sender that has lost the rest of a head goes on: a fault of an honest node
 *     -DINTERLEAVED  a receiver that takes pieces of several heads in turn: the bound is lost
 *     -DEMPTY        one that lets empty pieces pass: so is that on their number */

#define N      3 /* streams */
#define SIZE   3 /* of a head, in units */
#define PIECES 3 /* of a head, at most */
#define M      8 /* packets in all */

mtype = { HEAD, OTHER };

chan wire = [2] of { mtype, byte, byte }; /* stream, units */
byte n_sent[N];                           /* whole heads */
byte n_told[N];
bool is_closed = false; /* by the sender: what it has sent still arrives */
bool is_fault = false;  /* the receiver's verdict */

#ifdef HOSTILE
proctype sender() {
    byte stream, units, n = 0;

    do
    :: n == M || is_fault -> break
    :: n < M && !is_fault && nfull(wire) ->
        n++;
        select(stream : 0 .. N - 1);
        select(units : 0 .. SIZE);
        if
        :: wire!HEAD, stream, units
        :: wire!OTHER, stream, 0
        fi
    od;
    is_closed = true
}
#else
proctype sender() {
    byte stream = 0, left, units;

    do
    :: stream == N -> break
    :: wire!OTHER, 0, 0
    :: stream < N ->
        left = SIZE;
        do
        :: left == 0 -> n_sent[stream]++; break
        :: left > 0 ->
            if
            :: select(units : 1 .. left); wire!HEAD, stream, units; left = left - units
            :: left < SIZE -> /* no memory for the rest */
#ifdef GO_ON
                break
#else
                goto closed
#endif
            fi
        od;
        stream++
    od;
closed:
    is_closed = true
}
#endif

proctype receiver() {
    byte held[N], pieces[N];
    byte stream, units, i, sum;
    byte current = N; /* the stream of the incomplete head; N: none */

    do
    :: wire?HEAD(stream, units) ->
#ifndef INTERLEAVED
        if
        :: current != N && current != stream -> is_fault = true; break
        :: else
        fi;
#endif
        if
#ifndef EMPTY
        :: units == 0 -> is_fault = true; break
#endif
        :: held[stream] + units > SIZE -> is_fault = true; break
#ifndef EMPTY
        :: units > 0 && held[stream] + units <= SIZE ->
#else
        :: held[stream] + units <= SIZE ->
#endif
            held[stream] = held[stream] + units;
            pieces[stream]++;
            current = stream
        fi;
        assert(pieces[stream] <= PIECES); /* the work for a head is bounded */
        sum = 0;
        i = 0;
        do
        :: i < N -> sum = sum + held[i]; i++
        :: i == N -> break
        od;
        assert(sum <= SIZE); /* and so is what is held */
        if
        :: held[stream] == SIZE ->
            n_told[stream]++;
            held[stream] = 0;
            pieces[stream] = 0;
            current = N
        :: else
        fi
    :: wire?OTHER(_, _) ->
        if
#ifndef INTERLEAVED
        :: current != N -> is_fault = true; break
#endif
        :: else
        fi
    :: is_closed && empty(wire) -> break
    od;
#ifndef HOSTILE
    assert(!is_fault);
    i = 0;
    do
    :: i < N -> assert(n_told[i] == n_sent[i]); i++ /* whole heads, once */
    :: i == N -> break
    od
#endif
}

init { atomic { run sender(); run receiver() } }
