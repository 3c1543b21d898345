import { EvidenceError } from '../evidence-error.ts';
import { Slots } from '../judging/slots.ts';
import { MAX_PACED_QUESTIONS, MAX_REGISTRY_REQUEST_MS, MAX_REGISTRY_REQUESTS } from '../limits.ts';
import type { Repository } from './repository.ts';

/** One question to a registry, wherever its content is. */
export interface Question {
  readonly what: string;
  readonly name: Repository;
  /** The tag or digest that it is about; empty for the repository itself. */
  readonly reference: string;
  readonly signal: AbortSignal;
}

/** How many requests of one kind about one tag or digest are sent at once. */
interface Pace {
  /** The most; without end until one is not answered in time. */
  limit: number;
  underWay: number;
  /** When the limit was lowered, in ms of `performance.now`. */
  loweredAt: number;
  /** Begins each request that waits, in their order. */
  readonly waiting: Set<() => void>;
}

/**
 * The requests to registries that may be under way at once: a fair share for each registry and repository, and fewer of those
 * that are not answered in time. Many registries go on with a request that was abandoned, so that the next ones only
 * make a slow registry slower, until it answers none in time. As in TCP, a request without an answer halves the number
 * of those that ask the same, once for all that were under way together, and each answer adds one. An abandoned request
 * counts for as long again as it was waited for. Other questions about the same repository are not held back: a list that
 * a user made long must not hide the evidence of other images.
 */
export class RequestShare {
  readonly #slots: Slots;
  readonly #paces = new Map<string, Pace>();

  constructor(places = MAX_REGISTRY_REQUESTS) {
    this.#slots = new Slots(places);
  }

  /** Asks when the share allows it. Throws what `ask` throws, and REGISTRY_TIMEOUT when no place was free in time. */
  async ask<T>({ what, name, reference, signal }: Question, ask: () => Promise<T>): Promise<T> {
    const end = performance.now() + MAX_REGISTRY_REQUEST_MS;
    const pace = this.#paceOf(`${what} ${reference}`);
    const full = () => {
      const message = `${what}: too many other requests wait for ${name.registry}; check whether it answers`;
      return new EvidenceError('REGISTRY_TIMEOUT', message, { retryable: true });
    };
    if (!(await begin(pace, MAX_REGISTRY_REQUEST_MS, signal))) throw full();
    const leave = await this.#slots.enter(
      { host: name.registry, part: name.repository },
      end - performance.now(),
      signal,
    );
    if (leave === undefined) {
      ended(pace);
      throw full();
    }
    return await paced(pace, ask).finally(leave);
  }

  #paceOf(key: string): Pace {
    const known = this.#paces.get(key);
    if (known !== undefined) return known;
    if (this.#paces.size >= MAX_PACED_QUESTIONS) {
      const [idle] = [...this.#paces].find(([, { underWay, waiting }]) => underWay + waiting.size === 0) ?? [];
      if (idle !== undefined) this.#paces.delete(idle);
    }
    const pace = { limit: Number.POSITIVE_INFINITY, underWay: 0, loweredAt: 0, waiting: new Set<() => void>() };
    this.#paces.set(key, pace);
    return pace;
  }
}

/** Waits until one more request may be under way; answers whether it is. */
async function begin(pace: Pace, waitMs: number, signal: AbortSignal): Promise<boolean> {
  if (signal.aborted) return false;
  if (pace.underWay < pace.limit) {
    pace.underWay++;
    return true;
  }
  const turn = Promise.withResolvers<boolean>();
  const next = () => {
    pace.waiting.delete(next);
    pace.underWay++;
    turn.resolve(true);
  };
  const leave = () => turn.resolve(!pace.waiting.delete(next));
  pace.waiting.add(next);
  const patience = setTimeout(leave, waitMs);
  signal.addEventListener('abort', leave, { once: true });
  try {
    return await turn.promise;
  } finally {
    clearTimeout(patience);
    signal.removeEventListener('abort', leave);
  }
}

/** Sends a request, and learns from how it ends. */
async function paced<T>(pace: Pace, ask: () => Promise<T>): Promise<T> {
  const begun = performance.now();
  try {
    const answer = await ask();
    pace.limit++;
    ended(pace);
    return answer;
  } catch (error) {
    if (!(error instanceof EvidenceError) || error.code !== 'REGISTRY_TIMEOUT') {
      ended(pace);
      throw error;
    }
    if (begun >= pace.loweredAt) {
      pace.limit = Math.max(1, Math.floor(Math.min(pace.limit, pace.underWay) / 2));
      pace.loweredAt = performance.now();
    }
    // The registry may still work on it, and those who have waited as long are about to leave as well.
    setTimeout(() => ended(pace), performance.now() - begun).unref();
    throw error;
  }
}

function ended(pace: Pace): void {
  pace.underWay--;
  for (const next of pace.waiting) if (pace.underWay < pace.limit) next();
}
