import type { Aim } from './aims.ts';
import type { Latency } from './latency.ts';
import type { Results } from './results.ts';
import { renderTable } from './table.ts';

/** All results and the aims, for people. */
export function renderReport(results: Results, aims: readonly Aim[]): string {
  const { machine } = results;
  return [
    `portcullis, measured on ${machine.date}: ${machine.processors}, ${machine.memory} MB, Linux ${machine.kernel}, Node ${machine.node}`,
    ...section('Warm: the verdict is known; exec to exit, ms', warmRows(results)),
    ...section('Cold: never judged before; exec to exit, ms', coldRows(results)),
    `  launcher p50 / cosign p50: ${results.cold.ratio.toFixed(2)}`,
    ...section('Keyless, proof in the bundle: never judged before; exec to exit, ms', keylessRows(results)),
    ...section('Keyless, requests of one verification', requestRows(results)),
    ...section('Key in a KMS: never judged before; exec to exit, ms', managedKeyRows(results)),
    ...section('Temporal, per allowed verification', costRows(results)),
    `  history: ${results.workflowCost.eventTypes.join(', ')}`,
    ...section('Resident memory, MB', memoryRows(results)),
    ...section(`Load: ${results.load.atOnce} at once, every verification a new name`, loadRows(results)),
    ...section('Aims', aimRows(aims)),
  ].join('\n');
}

function section(title: string, rows: Rows): readonly string[] {
  return ['', title, renderTable(rows)];
}

type Rows = readonly (readonly string[])[];

const LATENCY_HEAD = ['', 'runs', 'p50', 'p90', 'p99', 'max'];

function latencyRow(what: string, latency: Latency): readonly string[] {
  const { p50, p90, p99, max } = latency;
  return [what, String(latency.count), ...[p50, p90, p99, max].map(toTenths)];
}

function toTenths(value: number): string {
  return value.toFixed(1);
}

function warmRows({ warm }: Results): Rows {
  return [
    LATENCY_HEAD,
    latencyRow('launcher', warm.launcher),
    latencyRow('a program that does nothing', warm.noOp),
    latencyRow(`launcher, ${warm.atOnce} at once`, warm.launcherAtOnce),
    latencyRow(`a program that does nothing, ${warm.atOnce} at once`, warm.noOpAtOnce),
  ];
}

function coldRows({ cold }: Results): Rows {
  return [LATENCY_HEAD, latencyRow('launcher', cold.launcher), latencyRow('cosign verify --key', cold.cosign)];
}

function keylessRows({ keyless }: Results): Rows {
  return [
    [...LATENCY_HEAD, 'ratio'],
    ...keyless.flatMap(({ roundTripMs, launcher, cosign, live, ratio }) => [
      [...latencyRow(`launcher, ${roundTripMs} ms away`, launcher), ratio.toFixed(2)],
      latencyRow(`cosign verify, ${roundTripMs} ms away`, cosign),
      latencyRow(`launcher, ${roundTripMs} ms away, and the live log asked`, live),
    ]),
  ];
}

function requestRows({ keyless }: Results): Rows {
  return [
    ['', 'registry', 'registry, by cosign', 'log', 'log, asked live'],
    ...keyless.map(({ roundTripMs, requests: { registry, registryByCosign, log, logLive } }) => [
      `${roundTripMs} ms away`,
      ...[registry, registryByCosign, log, logLive].map(toTenths),
    ]),
  ];
}

function managedKeyRows({ managedKey: { launcher, cosign, ratio, requests } }: Results): Rows {
  return [
    [...LATENCY_HEAD, 'ratio', 'requests to the KMS'],
    [...latencyRow('launcher', launcher), ratio.toFixed(2), toTenths(requests.launcher)],
    [...latencyRow('cosign verify --key awskms://', cosign), '', toTenths(requests.cosign)],
  ];
}

function costRows({ workflowCost: cost }: Results): Rows {
  const { min, max } = cost.historyEvents;
  const written = Object.entries(cost.storeWrites).filter(([, writes]) => writes > 0);
  return [
    ['', `of ${cost.verifications}`],
    ['history events', min === max ? String(min) : `${min} to ${max}`],
    ['store transactions that change a workflow', cost.storeWritesTotal.toFixed(2)],
    ...written.map(([operation, writes]) => [`- ${operation}`, writes.toFixed(2)]),
  ];
}

function memoryRows({ idle, load }: Results): Rows {
  return [
    ['', 'started', `before ${load.verifications}`, `after ${load.verifications}`],
    ['shim', ...[idle.shim, load.before.shim, load.after.shim].map(toTenths)],
    ['worker', ...[idle.worker, load.before.worker, load.after.worker].map(toTenths)],
  ];
}

function loadRows({ load }: Results): Rows {
  const refused = Object.entries(load.refused).map(([code, count]) => `${count} ${code}`);
  return [
    [...LATENCY_HEAD, 'allowed per second'],
    [...latencyRow('launcher, ms', load.launcher), load.perSecond.toFixed(1)],
    ...(refused.length === 0 ? [] : [[`refused: ${refused.join(', ')}`]]),
  ];
}

function aimRows(aims: readonly Aim[]): Rows {
  return [
    ['', 'at most', 'found', ''],
    ...aims.map(({ what, atMost, found, met }) => [
      what,
      String(atMost),
      String(Number(found.toFixed(2))),
      met ? 'met' : 'missed',
    ]),
  ];
}
