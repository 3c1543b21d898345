const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
const groups = new Set<number>();

/**
 * Kills a process group when this process ends, whether it exits, crashes or is told to end by a signal. (Against
 * SIGKILL there is no help.) Returns what to call once the group has ended by itself.
 */
export function killWithParent(pid: number): () => void {
  if (groups.size === 0) watch();
  groups.add(pid);
  return () => {
    groups.delete(pid);
    if (groups.size === 0) unwatch();
  };
}

function watch(): void {
  process.on('exit', killAll);
  for (const name of SIGNALS) process.on(name, onSignal);
}

function unwatch(): void {
  process.off('exit', killAll);
  for (const name of SIGNALS) process.off(name, onSignal);
}

function killAll(): void {
  for (const pid of groups) {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // It ended a moment ago.
    }
  }
}

function onSignal(name: NodeJS.Signals): void {
  // Somebody else listens too: they decide how this process ends, and when it does, 'exit' follows.
  if (process.listenerCount(name) > 1) return;
  killAll();
  unwatch();
  process.kill(process.pid, name);
}
