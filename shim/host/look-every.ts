/** A look at something outside that is repeated until it is stopped. */
export interface Looks {
  /** Looks at once, after the look that goes on. */
  now(): Promise<void>;
  stop(): void;
}

/**
 * Looks every so many ms, one look at a time, so that an older one does not undo a newer one. `look` never rejects, and is told
 * whether somebody asked for it. Keeps no process alive.
 */
export function lookEvery(ms: number, look: (asked: boolean) => Promise<void>): Looks {
  let looking = Promise.resolve();
  function next(asked: boolean): Promise<void> {
    looking = looking.then(() => look(asked));
    return looking;
  }
  const timer = setInterval(() => void next(false), ms).unref();
  return { now: () => next(true), stop: () => clearInterval(timer) };
}
