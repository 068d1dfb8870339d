/**
 * Every view of the window, in the order of the rail. The command `view.ID`, its menu item, its shortcut, the palette and the rail come from
 * this list; `renderer/frame/views.tsx` adds the component and the icon, and does not compile without them.
 */
export const viewList = [
  { id: 'home', title: 'Home', keys: '1' },
  { id: 'run', title: 'Run', keys: '2' },
  { id: 'live', title: 'Live', keys: '3' },
  { id: 'compare', title: 'Compare', keys: '4' },
  { id: 'sweeps', title: 'Sweeps', keys: 'S' },
  { id: 'roofline', title: 'Roofline', keys: 'R' },
  { id: 'captures', title: 'Captures', keys: 'P' },
  { id: 'queues', title: 'Queues', keys: 'Q' },
  { id: 'history', title: 'History', keys: '5' },
  { id: 'doctor', title: 'Doctor', keys: '6' },
] as const satisfies readonly { readonly id: string; readonly title: string; readonly keys: string }[];

export type ViewId = (typeof viewList)[number]['id'];
