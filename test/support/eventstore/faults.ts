/** What a client calls. A read of a subscription is `subscribe`. */
export type Call = 'append' | 'read' | 'subscribe' | 'features';

type Scripted = Readonly<{
  /** Which calls; all of them unless told. */
  on?: Call;
  /** How many calls; one unless told. */
  times?: number | 'always';
}>;

/** How a server misbehaves on the next calls. */
export type Fault = Scripted &
  (
    | Readonly<{ kind: 'silent' }> // takes the call and answers nothing; an append is not written
    | Readonly<{ kind: 'replyLost' }> // writes the append and answers nothing
    | Readonly<{ kind: 'replyDelayed'; ms: number }> // writes the append and answers later
    | Readonly<{ kind: 'writtenThenRefused'; code: number }> // writes the append and ends the call with a status
    | Readonly<{ kind: 'noPosition' }> // acknowledges the append without saying where it is
    | Readonly<{ kind: 'notLeader'; host: string; port: number }>
    | Readonly<{ kind: 'refused'; code: number; trailers?: Readonly<Record<string, string>> }>
    | Readonly<{ kind: 'cut'; after: number; code: number }> // ends a read or subscription with a status after some events
    | Readonly<{ kind: 'paused'; after: number }> // sends a read or subscription so many events and then nothing
    | Readonly<{ kind: 'endedEarly'; after: number }> // ends a read or subscription with OK after some events
  );

/** What open subscriptions do at once: end with OK, fail, or stay open and say nothing any more. */
export type Disturbance = 'end' | 'fail' | 'stall';

export type Faults = Readonly<{
  script: (fault: Fault) => void;
  heal: () => void;
  /** The fault that the next call of a kind meets, used up once. */
  meet: (call: Call) => Fault | undefined;
}>;

/** The faults that are scripted and not yet met, in the order in which they were scripted. */
export const faults = (): Faults => {
  const scripted: { fault: Fault; left: number }[] = [];
  return {
    script: (fault) =>
      void scripted.push({ fault, left: fault.times === 'always' ? Number.POSITIVE_INFINITY : (fault.times ?? 1) }),
    heal: () => void scripted.splice(0),
    meet: (call) => {
      const at = scripted.findIndex(({ fault }) => fault.on === undefined || fault.on === call);
      const met = scripted[at];
      if (met === undefined) return undefined;
      met.left -= 1;
      if (met.left === 0) scripted.splice(at, 1);
      return met.fault;
    },
  };
};
