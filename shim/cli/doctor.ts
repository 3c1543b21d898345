import { parseArgs } from 'node:util';
import { DEFAULT_SHIM_FILE, readNodeSettings } from '../configuration.ts';
import { type ContainerdProgram, findRunning } from '../containerd/running.ts';
import type { DaemonSettings } from '../doctor/daemon-findings.ts';
import { examine } from '../doctor/examine.ts';
import type { Finding } from '../doctor/finding.ts';
import { plainJson, plainText } from '../plain-text.ts';
import { DEFAULT_LAUNCHER_SOCKET } from './options.ts';

const HELP = `Finds what on this node would open the gate silently, or keep it from pulling.

Usage: portcullis doctor [OPTIONS]

  --config FILE             the daemon's settings (default ${DEFAULT_SHIM_FILE}, if it is there)
  --containerd BINARY       examine this containerd instead of the one that runs
  --containerd-config FILE  the configuration that it gets (default /etc/containerd/config.toml)
  --output text|json        (default text)

It asks containerd itself what it makes of its configuration, all imports merged ("containerd config dump"), looks at the folder of
verifiers as containerd does, and at the daemon. Each finding says what it found, why it matters, and the line that cures it. It changes
nothing. "open" means that images get in unasked, "stuck" that the node can't pull or not start, "weak" that it holds but not under all weather.

Exit code 0: nothing open and nothing stuck. 1: something is. 3: there is no containerd to examine.`;

const MARK: Readonly<Record<Finding['severity'], string>> = { open: 'OPEN ', stuck: 'STUCK', weak: 'weak ' };

export const doctorCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values } = parseArgs({
      args: [...args],
      options: {
        config: { type: 'string' },
        containerd: { type: 'string' },
        'containerd-config': { type: 'string' },
        output: { type: 'string', default: 'text' },
      },
    });
    if (values.output !== 'text' && values.output !== 'json') {
      console.error('portcullis doctor: --output: expected text or json; see "portcullis doctor --help"');
      return 2;
    }
    const containerd = await findContainerd(values.containerd, values['containerd-config']);
    if (containerd === undefined) {
      console.error('portcullis doctor: no containerd runs here; name one with --containerd and --containerd-config');
      return 3;
    }
    const findings = await examine(containerd, await daemonSettings(values.config));
    if (values.output === 'json') console.log(plainJson({ containerd, findings }, 2));
    else {
      console.log(`${plainText(containerd.binary)} with ${plainText(containerd.config)}`);
      printFindings(findings);
    }
    return findings.some(({ severity }) => severity !== 'weak') ? 1 : 0;
  },
};

/** The containerd that is named, or the one that runs here. */
export async function findContainerd(binary?: string, config?: string): Promise<ContainerdProgram | undefined> {
  const running = binary === undefined ? await findRunning() : undefined;
  if (binary === undefined) return running && { ...running, config: config ?? running.config };
  return { binary, config: config ?? '/etc/containerd/config.toml', startedAt: undefined };
}

/** What the daemon of this node was told. */
export async function daemonSettings(file: string | undefined): Promise<DaemonSettings> {
  const settings = await readNodeSettings(file);
  const { metrics = '127.0.0.1:9464' } = settings;
  return {
    launcherSocket: settings.socket ?? DEFAULT_LAUNCHER_SOCKET,
    verdictKeys: settings['verdict-keys'],
    bootstrap: settings.bootstrap,
    metrics: metrics === 'off' ? undefined : metrics,
  };
}

export function printFindings(findings: readonly Finding[]): void {
  for (const { id, severity, found, why, fix } of findings) {
    console.log(
      `\n${MARK[severity]} ${id}: ${plainText(found)}\n      ${plainText(why)}\n      cure: ${plainText(fix)}`,
    );
  }
  const bad = findings.filter(({ severity }) => severity !== 'weak').length;
  const rest = findings.length - bad;
  console.log(`\n${bad === 0 ? 'nothing opens the gate' : `${bad} to cure`}${rest === 0 ? '' : `, ${rest} weak`}`);
}
