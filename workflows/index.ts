// What the worker registers; nothing else belongs here.
export { resolveName } from './resolve-name.ts';
export { statePolicy } from './state-policy.ts';
export { verifyImage } from './verify-image.ts';
