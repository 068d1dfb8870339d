import { type ProbeFindings, probeFindings } from '../../../../workloads/kernels/topologyFindings.ts';
import { html, type Markup, nothing } from '../markup.ts';

/** The findings of the topology probe: the GPUs and the measured rate of each link. */
export function topologySection(findings: unknown): Markup {
  const parsed = probeFindings.safeParse(findings);
  return parsed.success ? section(parsed.data) : nothing;
}

const gigabytes = (rate: number | undefined): string =>
  rate === undefined ? '–' : (rate / 1e9).toPrecision(4);

function section({ gpus, links }: ProbeFindings): Markup {
  return html`<section><h2>How the GPUs are wired</h2>
<div class="scroll"><table><thead><tr><th class="text">GPU</th><th class="text">name</th><th class="text">PCI address</th><th class="text">NUMA node</th><th class="text">processors near it</th></tr></thead><tbody>${gpus.map(
    (gpu) =>
      html`<tr><td class="key">${gpu.index}</td><td class="text">${gpu.name}</td><td class="text"><code>${gpu.pciAddress}</code></td><td class="text">${gpu.numaNode ?? 'not told'}</td><td class="text">${gpu.cpuAffinity ?? 'not told'}</td></tr>`,
  )}</tbody></table></div>
<div class="scroll"><table><thead><tr><th class="text">link</th><th class="text">variant</th><th>GB/s</th><th class="text">how</th></tr></thead><tbody>${links.map(
    (link) =>
      html`<tr><td class="key">${link.from} → ${link.to}</td><td class="text">${link.variant}</td><td class="num">${gigabytes(link.bytesPerSecond)}</td><td class="text">${link.how}</td></tr>`,
  )}</tbody></table></div></section>`;
}
