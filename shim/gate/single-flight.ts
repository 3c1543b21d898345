/** Questions that are under way, so that the same one is asked once. */
export interface SingleFlight<T> {
  /**
   * Joins the question under way about this key that ends in time for this caller, or begins one. Answers at the latest at
   * `deadline` (Unix ms): by `late` when the question goes on. Rejects as the shared one does; nothing is kept of one that has ended.
   */
  join(key: string, flight: Flight<T>): Promise<T>;
  /** For metrics: how many are under way. */
  readonly size: number;
}

export interface Flight<T> {
  /** When the caller has to have its answer, Unix ms. */
  readonly deadline: number;
  /** Asks; called at most once, and not when it is joined. Answers by the deadline of the caller that began it. */
  readonly make: () => Promise<T>;
  /** What a caller is told whose deadline comes before the answer. */
  readonly late: () => T;
}

/**
 * A question that ends this much before a caller's deadline, in ms, is not joined but begun anew: else whoever comes when
 * a slow one gives up would give up with it, with its own time unused.
 */
const UNUSED_MS = 1_000;

/** Nothing is shared by who comes one after the other, only by who asks at the same time. */
export function openSingleFlight<T>(): SingleFlight<T> {
  const flights = new Map<string, { readonly answer: Promise<T>; readonly deadline: number }>();
  return {
    get size() {
      return flights.size;
    },
    join(key, { deadline, make, late }) {
      const found = flights.get(key);
      // Who has less time asks alone: he would hear only that he has to go, and not why there is no answer.
      if (found !== undefined && found.deadline > deadline) return untilDeadline(start(make), deadline, late);
      if (found !== undefined && found.deadline >= deadline - UNUSED_MS)
        return untilDeadline(found.answer, deadline, late);
      const flight = { answer: start(make), deadline };
      flights.set(key, flight);
      const end = () => {
        if (flights.get(key) === flight) flights.delete(key);
      };
      flight.answer.then(end, end);
      return untilDeadline(flight.answer, deadline, late);
    },
  };
}

async function start<T>(make: () => Promise<T>): Promise<T> {
  return await make();
}

function untilDeadline<T>(answer: Promise<T>, deadline: number, late: () => T): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(late()), Math.min(Math.max(deadline - Date.now(), 0), MAX_TIMER_MS));
    answer.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** What a timer takes at most; a longer one would fire at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;
