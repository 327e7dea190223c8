/*
 * The protocol of one band: slots, sleeping and waking, close, and reaping, with a death at any step.
 * `check.sh` runs it. The comments name the invariants of src/layout.ts.
 *
 * PRODUCERS put ITEMS items each and CONSUMERS take until the queue is closed and drained, through CAP slots.
 * Positions run modulo LAPS laps, so that they wrap. With DEATH one of them dies, or none, and is
 * reaped; with CONSUMER_DIES it is a consumer. With TAKE_ONE each consumer takes one item and goes; with NO_CLOSE nobody closes. With a MUTANT, one rule is left out, and SPIN has to find what goes wrong then.
 */
#ifndef CAP
#define CAP 1
#endif
#ifndef PRODUCERS
#define PRODUCERS 2
#endif
#ifndef CONSUMERS
#define CONSUMERS 2
#endif
#ifndef ITEMS
#define ITEMS 1
#endif
#define LAPS 4
#define THREADS (PRODUCERS + CONSUMERS)
#define TOTAL (PRODUCERS * ITEMS)

/* Words of positions are doubled (layout.ts): bit 0 is CLOSED in tail, "full" in a stamp. */
#define WORDS (2 * CAP * LAPS)
#define NEXT(word, by) (((word) + 2 * (by)) % WORDS)
#define SLOT(word) (((word) / 2) % CAP)
#define POSITION(word) ((word) - ((word) % 2))

#ifdef MUTANT_ONE_STAMP
/* One stamp a lap: "full at p" is "free for p + 1". */
#define FULL(word) NEXT(word, 1)
#else
#define FULL(word) ((word) + 1)
#endif

#define NOTHING 255
#define TOMBSTONE 254

byte tail, head
byte stamp[CAP]
byte slot[CAP]
bool closed /* of MUTANT_CLOSE_FLAG */

/* Intent cells (I5): the word that a thread is about to own, or NOTHING. */
byte intent[THREADS]

/* Event counts: 0 is "items", 1 is "space". A thread sleeps until it is woken or the sequence has moved. */
byte sequence[2]
bool asleep[THREADS]
bool sleeper[2 * THREADS]

bool dead[THREADS]
bool ended[THREADS]
byte victim = NOTHING
bool reaped

/* Accounts. */
bool accepted[TOTAL]
byte delivered[TOTAL]
byte inHand = NOTHING
byte producersLeft = PRODUCERS

inline wakeOne(event) {
  d_step {
    hasSleeper = false;
    i = 0;
    do
    :: i < THREADS -> hasSleeper = hasSleeper || sleeper[event * THREADS + i]; i++
    :: else -> break
    od;
    i = 0
  }
  if
  :: hasSleeper ->
    sequence[event] = (sequence[event] + 1) % 8;
    /* Any one, though V8 wakes the first. */
    atomic {
      if
      :: asleep[0] && sleeper[event * THREADS + 0] -> asleep[0] = false
      :: asleep[1] && sleeper[event * THREADS + 1] -> asleep[1] = false
#if THREADS > 2
      :: asleep[2] && sleeper[event * THREADS + 2] -> asleep[2] = false
#endif
#if THREADS > 3
      :: asleep[3] && sleeper[event * THREADS + 3] -> asleep[3] = false
#endif
      :: else -> skip
      fi
    }
  :: else -> skip
  fi
}

inline wakeAll(event) {
  d_step {
    sequence[event] = (sequence[event] + 1) % 8;
    i = 0;
    do
    :: i < THREADS ->
      if
      :: sleeper[event * THREADS + i] -> asleep[i] = false
      :: else -> skip
      fi;
      i++
    :: else -> break
    od;
    i = 0
  }
}

/* Sleeps on an event unless `ready` is true: announce, look, wait (waiting.ts). */
inline sleepUnless(event, ready) {
  sleeper[event * THREADS + me] = true;
  ticket = sequence[event];
  if
#ifdef MUTANT_NO_LOOK
  :: false -> skip
  :: else ->
#else
  :: ready -> skip
  :: else ->
#endif
    atomic {
      if
      :: sequence[event] == ticket -> asleep[me] = true
      :: else -> skip
      fi
    }
    !asleep[me]
  fi;
  d_step { sleeper[event * THREADS + me] = false; ticket = 0 }
}

#define IS_FULL(word) (stamp[SLOT(word)] == FULL(word))
#define IS_FREE(word) (stamp[SLOT(word)] == POSITION(word))
#ifdef MUTANT_CLOSE_FLAG
#define CLOSED_NOW closed
#else
#define CLOSED_NOW (tail % 2 == 1)
#endif
#define DRAINED (CLOSED_NOW && POSITION(tail) == head)

proctype Producer(byte me) {
  byte word, item, i, ticket;
  bool won, hasSleeper;
  {
    do
    :: item < ITEMS ->
      word = tail;
      if
#ifdef MUTANT_CLOSE_FLAG
      :: closed -> break
#else
      :: word % 2 == 1 -> break
#endif
      :: else -> skip
      fi;
      if
      :: stamp[SLOT(word)] == word ->
        intent[me] = word;
        atomic { won = (tail == word); if :: won -> tail = NEXT(word, 1) :: else -> skip fi }
        if
        :: won ->
          slot[SLOT(word)] = me * ITEMS + item;
          stamp[SLOT(word)] = FULL(word);
          wakeOne(0);
#ifndef MUTANT_NO_CHAIN
          if
          :: IS_FREE(tail) -> wakeOne(1)
          :: else -> skip
          fi;
#endif
          intent[me] = NOTHING;
          d_step { accepted[me * ITEMS + item] = true; item++ }
        :: else -> intent[me] = NOTHING
        fi
      :: else ->
        if
        :: tail != word -> skip
        :: else -> sleepUnless(1, (IS_FREE(tail) || CLOSED_NOW))
        fi
      fi
    :: else -> break
    od;
    atomic { ended[me] = true; producersLeft-- }
  } unless { dead[me] -> atomic { asleep[me] = false; producersLeft-- } }
}

proctype Consumer(byte me) {
  byte word, now, i, ticket;
  bool won, hasSleeper;
  {
    do
    :: true ->
      word = head;
      if
      :: IS_FULL(word) ->
        intent[me] = word;
        atomic { won = (head == word); if :: won -> head = NEXT(word, 1) :: else -> skip fi }
        if
        :: won ->
          now = slot[SLOT(word)];
          if
          :: now != TOMBSTONE && me == victim -> inHand = now
          :: else -> skip
          fi;
          /* Released: from here on the item is this thread's, whatever happens to it. */
          d_step {
            stamp[SLOT(word)] = NEXT(word, CAP);
            if
            :: now != TOMBSTONE -> delivered[now]++
            :: else -> skip
            fi
          }
          wakeOne(1);
          if
          :: DRAINED -> wakeAll(0)
#ifndef MUTANT_NO_CHAIN
          :: !DRAINED && IS_FULL(head) -> wakeOne(0)
#endif
          :: else -> skip
          fi;
          intent[me] = NOTHING;
#ifdef TAKE_ONE
          if
          :: now != TOMBSTONE -> break
          :: else -> skip
          fi
#endif
        :: else -> intent[me] = NOTHING
        fi
      :: else ->
        if
        :: head != word -> skip
        :: else ->
          now = tail;
          if
#ifdef MUTANT_CLOSE_FLAG
          :: POSITION(now) == word && closed -> break
#else
          :: POSITION(now) == word && now % 2 == 1 -> break
#endif
          :: else -> sleepUnless(0, (IS_FULL(head) || DRAINED))
          fi
        fi
      fi
    od;
    ended[me] = true
  } unless { dead[me] -> asleep[me] = false }
}

/* Closes at any time, or when all is put in: then everything has to arrive. */
proctype Closer() {
  byte i;
#ifdef CLOSE_LATE
  producersLeft == 0;
#ifdef DEATH
  victim == NOTHING || !dead[victim] || reaped;
#endif
#endif
#ifdef MUTANT_CLOSE_FLAG
  closed = true;
#else
  d_step { if :: tail % 2 == 0 -> tail++ :: else -> skip fi }
#endif
  wakeAll(0);
  wakeAll(1)
}

#ifdef DEATH
#define NAMES(thread, word) (intent[thread] == (word))
#define IS_PRODUCER(thread) ((thread) < PRODUCERS)

proctype Death() {
  byte i, other, word;
  bool named;
  /* Any moment, or never. */
  if
  :: !ended[victim] -> dead[victim] = true
  :: true -> goto survived
  fi;
  word = intent[victim];
  do
  :: word == NOTHING -> break
  :: else ->
    /* Owned at all? Its own stamp was looked at before it tried, so the index can't be a lap off. */
    if
    :: IS_PRODUCER(victim) && (POSITION(tail) == word || stamp[SLOT(word)] != word) -> break
    :: !IS_PRODUCER(victim) && (head == word || stamp[SLOT(word)] != FULL(word)) -> break
    :: else ->
      named = false;
#ifndef MUTANT_GUESS
      /* The others, one by one, and the stamp after them. */
      other = 0;
      do
      :: other < THREADS ->
        if
        :: other != victim && IS_PRODUCER(other) == IS_PRODUCER(victim) && NAMES(other, word) ->
          named = true
        :: else -> skip
        fi;
        other++
      :: else -> break
      od;
#endif
      if
      :: named -> skip
      :: !named && IS_PRODUCER(victim) && stamp[SLOT(word)] == word ->
        slot[SLOT(word)] = TOMBSTONE;
        stamp[SLOT(word)] = FULL(word);
        break
      :: !named && !IS_PRODUCER(victim) && stamp[SLOT(word)] == FULL(word) ->
        /* Handed back: the reaper's now. */
        if
        :: slot[SLOT(word)] != TOMBSTONE -> delivered[slot[SLOT(word)]]++
        :: else -> skip
        fi;
        stamp[SLOT(word)] = NEXT(word, CAP);
        break
      :: else -> skip
      fi
    fi
  od;
  skip;
  d_step { sleeper[victim] = false; sleeper[THREADS + victim] = false; intent[victim] = NOTHING }
#ifndef MUTANT_NO_WAKE_AFTER_DEATH
  wakeAll(0);
  wakeAll(1);
#endif
  reaped = true;
survived:
  skip
}
#endif

/* After everything: each accepted item was delivered, none twice. That nobody sleeps for ever is SPIN's own check. */
proctype Accounts() {
  byte i;
  _nr_pr == 2; /* init and this */
  i = 0;
  do
  :: i < TOTAL ->
    assert(delivered[i] <= 1);
    assert(!accepted[i] || delivered[i] == 1);
    i++
  :: else -> break
  od
}

init {
  byte i;
  atomic {
    /* Just below the wrap. */
    tail = WORDS - 2;
    head = WORDS - 2;
    i = 0;
    do
    :: i < CAP -> stamp[SLOT(NEXT(tail, i))] = NEXT(tail, i); i++
    :: else -> break
    od;
    i = 0;
    do
    :: i < THREADS -> intent[i] = NOTHING; i++
    :: else -> break
    od;
    run Accounts();
    i = 0;
    do
    :: i < PRODUCERS -> run Producer(i); i++
    :: i >= PRODUCERS && i < THREADS -> run Consumer(i); i++
    :: else -> break
    od;
#ifndef NO_CLOSE
    run Closer();
#endif
#ifdef DEATH
    if
#ifndef CONSUMER_DIES
    :: victim = 0
#endif
#if CONSUMERS > 1
    /* Somebody has to take the rest. */
    :: victim = PRODUCERS
#endif
    fi;
    run Death()
#endif
  }
}
