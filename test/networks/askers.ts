import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Outcome, Question } from './asker.ts';

/** A process of its own that asks as a worker does: proxies and authorities are named to it when it starts. */
export interface Asker {
  ask(question: Question): Promise<Outcome>;
  stop(): void;
}

/** Longer than any limit of a client. */
const MAX_MS = 45_000;

interface Answer {
  readonly id: string;
  readonly outcome: Outcome;
}

/** Starts one, with nothing of this process's environment that says something of networks or credentials. */
export async function startAsker(env: Readonly<Record<string, string>>): Promise<Asker> {
  const { PATH = '' } = process.env;
  const program = fileURLToPath(new URL('asker.ts', import.meta.url));
  const stdio = ['ignore', 'ignore', 'inherit', 'ipc'] as const;
  const child: ChildProcess = fork(program, [], { env: { PATH, HOME: '/nonexistent', ...env }, stdio: [...stdio] });
  const waiting = new Map<string, (outcome: Outcome) => void>();
  const ready = once(child, 'message');
  const gone = Promise.withResolvers<never>();
  gone.promise.catch(() => {}); // those who wait are told
  child.once('exit', (code) => gone.reject(new Error(`the asking process ended with ${code}`)));
  await Promise.race([ready, gone.promise]);
  child.on('message', ({ id, outcome }: Answer) => waiting.get(id)?.(outcome));
  return {
    ask(question) {
      const { promise, resolve } = Promise.withResolvers<Outcome>();
      waiting.set(question.id, resolve);
      child.send(question);
      const late = delay(MAX_MS, undefined, { ref: false }).then(() => {
        throw new Error(`${question.id}: no outcome within ${MAX_MS} ms`);
      });
      return Promise.race([promise, gone.promise, late]);
    },
    stop: () => child.kill(),
  };
}
