/** Raises run specs of earlier versions to the present one; anything else passes through and is refused by the schema. */

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Version 1 knew instances of the simulator only; version 2 says per instance what serves. */
function fromVersion1(spec: Readonly<Record<string, unknown>>): unknown {
  const { cluster } = spec;
  if (!isRecord(cluster) || !Array.isArray(cluster['instances'])) return { ...spec, schema: 2 };
  const instances = cluster['instances'].map((instance: unknown) =>
    isRecord(instance) && instance['serves'] === undefined ? { ...instance, serves: 'modelled' } : instance,
  );
  return { ...spec, schema: 2, cluster: { ...cluster, instances } };
}

export const upgradedSpec = (document: unknown): unknown =>
  isRecord(document) && document['schema'] === 1 ? fromVersion1(document) : document;
