import { doesNotApply, fails, type Row, succeeds, type TemporalClient } from './cells.ts';

const UNTRUSTED =
  /the server's certificate is not of the authority in TEMPORAL_TLS_SERVER_CA_CERT_PATH; add the authority/;
const SILENT = /the server accepted the connection and did not answer; check that Temporal is healthy/;

/** What worker and shim must do; a worker tries until it is stopped, and logs the sentence. */
export const TEMPORAL_TABLE: Readonly<Record<TemporalClient, Row>> = {
  'Temporal of the worker': {
    plain: succeeds(),
    'own CA': succeeds('TEMPORAL_TLS_SERVER_CA_CERT_PATH'),
    'unknown CA': fails(undefined, true, UNTRUSTED),
    'client certificate': succeeds(),
    'CONNECT proxy': succeeds('HTTPS_PROXY where TLS is used, else HTTP_PROXY; the variables of gRPC do not count'),
    NO_PROXY: succeeds('and --proxy off'),
    'renewed credential': succeeds('within seconds; temporal/renewal.test.ts tries how files are written'),
    redirect: doesNotApply('gRPC has no redirects'),
    slow: fails(undefined, true, SILENT),
    cut: succeeds('the poll is made again'),
  },
  'Temporal of the shim': {
    plain: succeeds(),
    'own CA': succeeds('TEMPORAL_TLS_SERVER_CA_CERT_PATH'),
    'unknown CA': fails('TEMPORAL_UNREACHABLE', true, UNTRUSTED),
    'client certificate': succeeds(),
    'CONNECT proxy': succeeds('HTTPS_PROXY where TLS is used, else HTTP_PROXY; the variables of gRPC do not count'),
    NO_PROXY: succeeds('and --proxy off'),
    'renewed credential': succeeds('within seconds; temporal/renewal.test.ts tries how files are written'),
    redirect: doesNotApply('gRPC has no redirects'),
    slow: fails('TEMPORAL_UNREACHABLE', true, SILENT),
    cut: succeeds('the call is made again'),
  },
};
