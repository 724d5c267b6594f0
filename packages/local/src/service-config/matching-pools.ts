/**
 * Egress pools stand in two sections: `provisioning.egressPools` says which there are, `delivery.egressPools` which are taken. A pod that takes one that is not
 * there gets no mail, and mail of one nobody takes waits; neither service sees the other's section, so the whole start compares them.
 */
import { type ConfigText, type FieldPath, locateTop, type Problem, pathText, placeOf } from '@postern/config';

export interface MatchedPools {
  readonly problems: readonly Problem[];
  readonly notes: readonly Problem[];
}

/** Undefined: that section is wrong by itself. */
export function matchPools(
  ownFile: ConfigText | undefined,
  declared: readonly string[] | undefined,
  taken: readonly string[] | undefined,
): MatchedPools {
  if (declared === undefined || taken === undefined) return { problems: [], notes: [] };
  const at = (path: FieldPath): Pick<Problem, 'place' | 'path'> => ({
    place: ownFile === undefined ? 'environment' : placeOf(locateTop(ownFile), path),
    path: pathText(path),
  });
  const problems = taken.flatMap((name, index) =>
    declared.includes(name)
      ? []
      : [
          {
            ...at(['delivery', 'egressPools', index, 'name']),
            message: `${JSON.stringify(name)} is not allowed; expected one of ${declared.join(', ')} (provisioning.egressPools)`,
          },
        ],
  );
  const notes = declared
    .filter((name) => !taken.includes(name))
    .map((name) => ({
      ...at(['delivery', 'egressPools']),
      message: `takes no mail of pool ${JSON.stringify(name)} of provisioning.egressPools; it waits until a delivery process does`,
    }));
  return { problems, notes: problems.length > 0 ? [] : notes };
}
