import { TRANSFER, VERIFIER } from '../containerd/effective.ts';
import { connectIntrospection, type LoadedPlugin } from '../containerd/introspection-client.ts';
import type { ContainerdVersion } from '../containerd/running.ts';
import { messageOf } from '../log/message-of.ts';
import type { Finding } from './finding.ts';

/** Finds what the containerd that runs tells of itself, whatever its files say by now. */
export async function runningFindings(
  socket: string,
  fileVersion: ContainerdVersion | undefined,
): Promise<readonly Finding[]> {
  const introspection = connectIntrospection(socket);
  try {
    const [plugins, { version }] = await Promise.all([introspection.plugins(), introspection.version()]);
    return [...notLoaded(plugins), ...replaced(version, fileVersion)];
  } catch (error) {
    return [silent(socket, error)];
  } finally {
    introspection.close();
  }
}

function silent(socket: string, error: unknown): Finding {
  return {
    id: 'containerd-silent',
    severity: 'stuck',
    found: `containerd does not answer at ${socket}: ${messageOf(error)}`,
    why: 'nothing can be pulled, and what it has loaded is unknown',
    fix: 'systemctl restart containerd; journalctl -u containerd tells why it does not answer',
  };
}

function notLoaded(plugins: readonly LoadedPlugin[]): readonly Finding[] {
  const problemOf = (id: string) => {
    const plugin = plugins.find((one) => one.id === id);
    if (plugin === undefined) return `the running containerd has not loaded ${id}`;
    return plugin.initError === undefined ? undefined : `${id} failed to load: ${plugin.initError}`;
  };
  const [verifier, transfer] = [problemOf(VERIFIER), problemOf(TRANSFER)];
  const fix = 'see that it is not in disabled_plugins, then systemctl restart containerd';
  return [
    ...(verifier === undefined
      ? []
      : [{ id: 'verifier-not-loaded', severity: 'open', found: verifier, why: 'it asks no verifier', fix } as const]),
    ...(transfer === undefined
      ? []
      : [
          {
            ...({ id: 'transfer-not-loaded', severity: 'stuck', found: transfer, fix } as const),
            why: 'it is what asks verifiers, and what CRI pulls by',
          },
        ]),
  ];
}

function replaced(running: string, fileVersion: ContainerdVersion | undefined): readonly Finding[] {
  const file = fileVersion?.join('.');
  if (file === undefined || running.replace(/^v/, '').startsWith(file)) return [];
  return [
    {
      ...({ id: 'containerd-replaced', severity: 'weak' } as const),
      found: `containerd ${running} runs, and its file is ${file} by now`,
      why: 'what is found of the file counts from its next start on',
      fix: 'systemctl restart containerd',
    },
  ];
}
