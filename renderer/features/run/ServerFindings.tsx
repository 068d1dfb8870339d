import type { Capability, ServerReport } from '../../../electron/contract/protocol.ts';
import { withSeparators } from '../../../workloads/metrics/format.ts';
import styles from './ServersPanel.module.css';

/** What is known of a server: nothing yet, or what its probe brought. */
export type Probe =
  | { readonly state: 'asking' }
  | { readonly state: 'answered'; readonly report: ServerReport }
  | { readonly state: 'failed'; readonly error: string };

const marks: Readonly<Record<Capability['state'], string>> = { yes: '✓', no: '✗', unknown: '?' };
const words: Readonly<Record<Capability['state'], string>> = { yes: 'yes', no: 'no', unknown: 'not known' };

/** What a probe found, ability by ability, and the flag that would make the server tell more. */
export function ServerFindings({ probe }: { readonly probe: Probe | undefined }) {
  if (probe === undefined) return <p className={styles.quiet}>Not probed.</p>;
  switch (probe.state) {
    case 'asking':
      return <p className={styles.quiet}>Asking …</p>;
    case 'failed':
      return (
        <p className={styles.fault} role="alert">
          {probe.error}
        </p>
      );
    case 'answered':
      return <Report report={probe.report} />;
    default:
      return probe satisfies never;
  }
}

function Report({ report }: { readonly report: ServerReport }) {
  const { reachable, remark, capabilities } = report;
  const facts = factsOf(report);
  return (
    <div className={`${styles.findings} selectable`} data-testid="server-findings">
      {facts.length > 0 && (
        <p className={styles.facts}>
          <b>{facts[0]}</b>
          {facts.slice(1).map((fact) => (
            <span key={fact}>{fact}</span>
          ))}
        </p>
      )}
      {remark !== undefined && (
        <p className={reachable ? styles.remark : styles.fault} role="alert">
          {remark}
        </p>
      )}
      {capabilities.length > 0 && (
        <ul className={styles.capabilities}>
          {capabilities.map(({ id, label, state, found, remedy }) => (
            <li key={id} data-capability={id} data-state={state}>
              <span className={styles.mark} role="img" aria-label={words[state]}>
                {marks[state]}
              </span>
              <span className={styles.label}>{label}</span>
              <span className={styles.found}>
                {found}
                {remedy !== undefined && <span className={styles.remedy}>To get it, {remedy}</span>}
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function factsOf({ dialect, version, models, contextTokens, slots, kvTokens }: ServerReport): string[] {
  const tokens = (n: number) => `${withSeparators(String(n))} tokens`;
  const facts = [
    dialect === undefined ? undefined : `${dialect}${version === undefined ? '' : ` ${version}`}`,
    models.length === 0 ? undefined : `${models.length === 1 ? 'model' : 'models'} ${models.join(', ')}`,
    contextTokens === undefined ? undefined : `context ${tokens(contextTokens)}`,
    slots === undefined ? undefined : `${slots} slots`,
    kvTokens === undefined ? undefined : `KV cache ${tokens(kvTokens)}`,
  ];
  return facts.filter((fact) => fact !== undefined);
}
