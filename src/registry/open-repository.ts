import { readText } from '../host/files.ts';
import type { Credentials } from '../image/credentials.ts';
import { credentialsFromAuth } from '../image/credentials.ts';
import { credentialsFromFile } from '../image/docker-config.ts';
import type { Reference } from '../image/reference.ts';
import { createAuthorizer } from './authorizer.ts';
import { endpointsFor } from './endpoints.ts';
import type { PullNeeds, PullPlan } from './pull.ts';
import type { Repository } from './repository.ts';
import { createRepository } from './repository.ts';

type Needs = Pick<PullNeeds, 'config' | 'http' | 'tokens' | 'log'>;

/** The repository of a reference, by all the ways that hosts.toml has to it, each with its credentials. */
export async function openRepository(
  needs: Needs,
  { reference, auth }: Pick<PullPlan, 'reference' | 'auth'>,
): Promise<Repository> {
  const { config, http, tokens } = needs;
  const fromFile = await nodeCredentials(needs, reference);
  const endpoints = await endpointsFor(config.certsDir, reference.host);
  const scope = `repository:${reference.path}:pull`;
  const routes = endpoints.map((endpoint) => {
    const host = endpoint.mirror ? new URL(endpoint.url).host : reference.host;
    const isTrusted = !endpoint.mirror || config.mirrorCredentials;
    const given = credentialsFromAuth(auth, { host, isTrusted });
    const credentials = given.kind === 'none' ? fromFile(host) : given;
    const registry = endpoint.url;
    const authorizer = createAuthorizer({ http, tls: endpoint, credentials, registry, scope, tokens });
    return { endpoint, authorizer };
  });
  return createRepository(needs, routes, reference);
}

/** What the node itself may show to a host. */
async function nodeCredentials(
  { config: { authFile: file }, log }: Needs,
  { path }: Reference,
): Promise<(host: string) => Credentials> {
  const text = file === '' ? null : await readText(file);
  if (file !== '' && text === null) log.warn({ file }, 'auth_file does not exist; go on without it');
  return (host) =>
    text === null ? { kind: 'none' } : credentialsFromFile(text, { file, of: { host, path } });
}
