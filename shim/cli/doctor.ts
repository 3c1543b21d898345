import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { plainJson, plainText } from '../../workflows/format/plain-text.ts';
import { describeRoute } from '../backend/temporal-link.ts';
import { DEFAULT_SHIM_FILE } from '../configuration.ts';
import { examine } from '../doctor/examine.ts';
import { LAYOUT } from '../host/layout.ts';
import { daemonSettings, findContainerd, printFindings } from './findings.ts';
import { installCommand } from './install.ts';
import { wrongUsage } from './options.ts';

const HELP = `Finds what on this node would open the gate silently, or keep it from pulling.

Usage: portcullis doctor [OPTIONS]

  --config FILE             the daemon's settings (default ${DEFAULT_SHIM_FILE}, if it is there)
  --containerd BINARY       examine this containerd instead of the one that runs
  --containerd-config FILE  the configuration that it gets (default /etc/containerd/config.toml)
  --fix                     put right what "portcullis install" wrote, by running it once more, and look again
  --output text|json        (default text)

It asks containerd itself what it makes of its configuration, all imports merged ("containerd config dump"), looks at the folder of
verifiers as containerd does, at what the running one has
loaded, at the daemon, and at what the workers state (by TEMPORAL_ADDRESS, of the environment or of ${LAYOUT.environment}), and names the proxy on the way there. Each finding says what it found, why it
matters, and the line that cures it. Without --fix it changes nothing. "open" means that images get in unasked, "stuck" that the node can't pull or not start, "weak" that it holds but not under all weather.

Exit code 0: nothing open and nothing stuck. 1: something is. 3: there is no containerd to examine.`;

export const doctorCommand = {
  help: HELP,
  async run(args: readonly string[]): Promise<number> {
    const { values } = parseArgs({
      args: [...args],
      options: {
        config: { type: 'string' },
        containerd: { type: 'string' },
        'containerd-config': { type: 'string' },
        fix: { type: 'boolean', default: false },
        output: { type: 'string', default: 'text' },
      },
    });
    if (values.output !== 'text' && values.output !== 'json') {
      return wrongUsage('doctor', '--output: expected text or json');
    }
    const containerd = await findContainerd(values.containerd, values['containerd-config']);
    if (containerd === undefined) {
      console.error('portcullis doctor: no containerd runs here; name one with --containerd and --containerd-config');
      return 3;
    }
    if (existsSync(LAYOUT.environment)) process.loadEnvFile(LAYOUT.environment);
    if (values.fix) return await installCommand.run(values.output === 'json' ? ['--output', 'json'] : []);
    const settings = await daemonSettings(values.config);
    const findings = await examine(containerd, settings);
    const isNamed = process.env['TEMPORAL_ADDRESS'] !== undefined;
    const temporal = isNamed ? await describeRoute(settings.proxies) : undefined;
    if (values.output === 'json') console.log(plainJson({ containerd, temporal, findings }, 2));
    else {
      console.log(`${plainText(containerd.binary)} with ${plainText(containerd.config)}`);
      if (temporal !== undefined) console.log(plainText(temporal));
      printFindings(findings);
    }
    return findings.some(({ severity }) => severity !== 'weak') ? 1 : 0;
  },
};
