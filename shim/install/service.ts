import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { SERVICE } from '../host/layout.ts';

/** systemd, as far as an installation needs it. Each call rejects with what systemctl said. */
export interface ServiceManager {
  /** Reads the units again. */
  reload(): Promise<void>;
  /** At every start of the node from now on. */
  enable(): Promise<void>;
  disable(): Promise<void>;
  restart(unit: string): Promise<void>;
  stop(): Promise<void>;
}

/** Longer than the daemon and containerd take to stop, in ms. */
const PATIENCE_MS = 90_000;

/** `undefined` where no systemd runs (sd_booted(3)). */
export function systemd(): ServiceManager | undefined {
  if (!existsSync('/run/systemd/system')) return undefined;
  return {
    reload: () => systemctl('daemon-reload'),
    enable: () => systemctl('enable', SERVICE),
    disable: () => systemctl('disable', SERVICE),
    restart: (unit) => systemctl('restart', unit),
    stop: () => systemctl('stop', SERVICE),
  };
}

function systemctl(...args: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile('systemctl', [...args], { timeout: PATIENCE_MS }, (error, _stdout, stderr) => {
      if (error === null) resolve();
      else reject(new Error(`systemctl ${args.join(' ')}: ${stderr.trim() || error.message}`));
    });
  });
}
