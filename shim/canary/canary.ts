import { randomBytes } from 'node:crypto';
import type { Digest } from '../../workflows/format/digest.ts';
import type { PullRequest } from '../decision.ts';
import type { LocalRule } from '../local-rule.ts';
import { createCanaryImage } from './artefact.ts';
import { startCanaryRegistry } from './registry.ts';

/** Repositories of the canary, below a registry on loopback. The names are ours: what is left there is taken away. */
export const REFUSED_REPOSITORY = 'portcullis-canary/refused';
export const PASSED_REPOSITORY = 'portcullis-canary/passed';

export interface CanaryImages {
  /** It has to be refused, with the nonce in the words of the refusal. */
  readonly bad: PullRequest;
  readonly good: PullRequest;
  readonly nonce: string;
}

/** Two images that the daemon knows until they are closed. */
export interface OpenCanary extends CanaryImages {
  /** Whether the daemon was asked about this digest through the launcher. */
  wasAsked(digest: Digest): Promise<boolean>;
  close(): Promise<void>;
}

/** Where a canary comes from: the daemon itself, or its service for those who ask from outside. */
export interface CanarySource {
  /** Waits for one that is under way. Rejects with a sentence for people. */
  open(): Promise<OpenCanary>;
}

/** The canaries of a daemon. */
export interface Canaries extends CanarySource {
  /** Refuses the bad image and lets in the good one, while both are open and under their names alone. */
  readonly rule: LocalRule;
  /** To be told each question of the launcher. */
  onAsked(request: PullRequest): void;
  /** As `open`, and tells each digest that is asked about, and the end. */
  lend(listener: CanaryListener): Promise<OpenCanary>;
}

export interface CanaryListener {
  asked(digest: Digest): void;
  /** By `close`, or because the time is over. */
  closed(): void;
}

/** Two pulls of a few hundred bytes, with every verifier's time in them, in ms. */
const OPEN_MS = 90_000;

/** Whoever waits while so many do already is turned away. */
const MAX_WAITING = 4;

/** Too many wait for a canary. */
export class CanaryBusy extends Error {}

interface Current {
  readonly images: CanaryImages;
  readonly asked: Set<Digest>;
  readonly listener: CanaryListener | undefined;
}

/** Makes the canaries of a daemon, of which one at a time is open, for at most `openMs`. */
export function createCanaries(openMs = OPEN_MS): Canaries {
  let current: Current | undefined;
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  /** Settles when it is one's turn, with what ends the turn. */
  async function turn(): Promise<() => void> {
    if (waiting >= MAX_WAITING) throw new CanaryBusy(`${waiting} others wait for a canary; try again in a minute`);
    waiting++;
    const before = last;
    const { promise, resolve } = Promise.withResolvers<void>();
    last = promise;
    await before;
    waiting--;
    return resolve;
  }

  async function lend(listener?: CanaryListener): Promise<OpenCanary> {
    const ended = await turn();
    try {
      const { images, stop } = await serve();
      const mine = { images, asked: new Set<Digest>(), listener };
      current = mine;
      let closing: Promise<void> | undefined;
      const end = async () => {
        clearTimeout(timer);
        if (current === mine) current = undefined;
        await stop();
        ended();
        listener?.closed();
      };
      const close = () => {
        closing ??= end();
        return closing;
      };
      const timer = setTimeout(() => void close(), openMs).unref();
      return { ...images, wasAsked: async (digest) => mine.asked.has(digest), close };
    } catch (error) {
      ended();
      throw error;
    }
  }

  return {
    open: () => lend(),
    lend,
    rule({ name, digest }) {
      if (current === undefined) return undefined;
      const { bad, good, nonce } = current.images;
      if (name === bad.name && digest === bad.digest) {
        return { code: 'CANARY_REFUSED', sentence: `${digest} is a canary that has to be refused (${nonce})` };
      }
      if (name === good.name && digest === good.digest) {
        return { code: 'CANARY_PASSED', sentence: `${digest} is a canary that has to pass` };
      }
      return undefined;
    },
    onAsked({ digest }) {
      if (current === undefined) return;
      const { images, asked, listener } = current;
      if (digest !== images.bad.digest && digest !== images.good.digest) return;
      asked.add(digest);
      listener?.asked(digest);
    },
  };
}

/** Both images, of this moment, on a loopback address of their own. */
async function serve(): Promise<{ readonly images: CanaryImages; stop(): Promise<void> }> {
  const [bad, good] = [createCanaryImage(), createCanaryImage()];
  const registry = await startCanaryRegistry(
    new Map([
      [REFUSED_REPOSITORY, bad],
      [PASSED_REPOSITORY, good],
    ]),
  );
  const tag = randomBytes(8).toString('hex'); // a name of its own: nothing is on the node already
  return {
    images: {
      bad: { name: `${registry.address}/${REFUSED_REPOSITORY}:${tag}`, digest: bad.digest },
      good: { name: `${registry.address}/${PASSED_REPOSITORY}:${tag}`, digest: good.digest },
      nonce: randomBytes(16).toString('hex'),
    },
    stop: () => registry.stop(),
  };
}
