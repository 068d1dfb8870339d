import { type localStorageColorSchemeManager, MantineProvider } from '@mantine/core';
import { Notifications } from '@mantine/notifications';
import { useEffect } from 'react';
import { useStore } from 'zustand';
import { Frame } from './frame/Frame.tsx';
import type { Workbench } from './state/workbench.ts';
import { WorkbenchProvider } from './state/workbench.ts';
import { cssVariables, theme } from './ui/theme.ts';

const styleNonce = document.querySelector('meta[name="style-nonce"]')?.getAttribute('content') ?? '';

export function App({ workbench }: { readonly workbench: Workbench }) {
  const scheme = useStore(workbench.settings, (state) => state.theme);
  useEffect(() => {
    window.dispatchEvent(new Event('dyno:interactive'));
  }, []);
  return (
    <MantineProvider
      theme={theme}
      cssVariablesResolver={cssVariables}
      getStyleNonce={() => styleNonce}
      {...(scheme === 'system' ? { defaultColorScheme: 'auto' as const } : { forceColorScheme: scheme })}
      colorSchemeManager={noManager}
    >
      <WorkbenchProvider value={workbench}>
        <Frame />
        {/* Lower left, above the run form's footer: the one place where no view keeps a button. */}
        <Notifications position="bottom-left" zIndex={400} limit={4} containerWidth={360} ml={50} mb={104} />
      </WorkbenchProvider>
    </MantineProvider>
  );
}

/** The theme is kept in our settings, not in the library's. */
const noManager: ReturnType<typeof localStorageColorSchemeManager> = {
  get: (fallback) => fallback,
  set: () => undefined,
  subscribe: () => undefined,
  unsubscribe: () => undefined,
  clear: () => undefined,
};
