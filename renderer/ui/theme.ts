import {
  ActionIcon,
  Autocomplete,
  Button,
  type CSSVariablesResolver,
  createTheme,
  Menu,
  Modal,
  NumberInput,
  SegmentedControl,
  Select,
  Switch,
  Textarea,
  TextInput,
  Tooltip,
} from '@mantine/core';

/** The component library in our clothes: it takes sizes and colours from the tokens, and nothing floats on a heavy shadow. */
export const theme = createTheme({
  // The library's greys, so that what it derives from them matches our surfaces.
  colors: {
    dark: [
      '#e7e9ec',
      '#c9ced6',
      '#aab1bb',
      '#8b939e',
      '#3b414a',
      '#2b3037',
      '#1c1f23',
      '#16181b',
      '#101113',
      '#0b0c0d',
    ],
  },
  fontFamily: 'var(--font)',
  fontFamilyMonospace: 'var(--mono)',
  headings: { fontFamily: 'var(--font)', fontWeight: '600' },
  primaryColor: 'indigo',
  primaryShade: { light: 7, dark: 7 },
  defaultRadius: 4,
  cursorType: 'pointer',
  focusRing: 'auto',
  fontSizes: { xs: '12px', sm: '13px', md: '13px', lg: '15px', xl: '18px' },
  components: {
    ActionIcon: ActionIcon.extend({ defaultProps: { variant: 'subtle', color: 'gray', size: 26 } }),
    Button: Button.extend({ defaultProps: { size: 'xs', radius: 4 } }),
    // The cross of notices and dialogs is drawn: its name is said.
    CloseButton: { defaultProps: { 'aria-label': 'Close' } },
    Menu: Menu.extend({
      defaultProps: { transitionProps: { duration: 0 }, shadow: 'xs', radius: 6, withinPortal: true },
    }),
    Modal: Modal.extend({
      styles: {
        content: { background: 'var(--surface-1)', border: '1px solid var(--line-strong)' },
        header: { background: 'var(--surface-1)' },
        title: { fontWeight: 600 },
      },
      defaultProps: {
        transitionProps: { duration: 0 },
        shadow: 'xs',
        radius: 8,
        centered: true,
        overlayProps: { backgroundOpacity: 0.5 },
      },
    }),
    NumberInput: NumberInput.extend({ defaultProps: { size: 'xs' } }),
    SegmentedControl: SegmentedControl.extend({
      defaultProps: { size: 'xs', radius: 4, transitionDuration: 0 },
    }),
    Autocomplete: Autocomplete.extend({ defaultProps: { size: 'xs' } }),
    Select: Select.extend({ defaultProps: { size: 'xs', allowDeselect: false, checkIconPosition: 'right' } }),
    Switch: Switch.extend({ defaultProps: { size: 'xs' } }),
    Textarea: Textarea.extend({ defaultProps: { size: 'xs' } }),
    TextInput: TextInput.extend({ defaultProps: { size: 'xs' } }),
    Tooltip: Tooltip.extend({
      defaultProps: {
        openDelay: 350,
        withArrow: false,
        multiline: true,
        maw: 340,
        fz: 12,
        radius: 4,
        transitionProps: { duration: 0 },
      },
    }),
  },
});

const shared = {
  '--mantine-color-body': 'var(--bg)',
  '--mantine-color-text': 'var(--text)',
  '--mantine-color-dimmed': 'var(--text-3)',
  '--mantine-color-default': 'var(--surface-2)',
  '--mantine-color-default-hover': 'var(--surface-3)',
  '--mantine-color-default-color': 'var(--text)',
  '--mantine-color-default-border': 'var(--line-strong)',
  '--mantine-color-placeholder': 'var(--text-3)',
  '--mantine-color-error': 'var(--fault)',
  '--mantine-color-anchor': 'var(--accent)',
  '--mantine-primary-color-filled': 'var(--accent-fill)',
  '--mantine-primary-color-filled-hover': 'color-mix(in srgb, var(--accent-fill), var(--text) 12%)',
  '--mantine-primary-color-light': 'var(--accent-soft)',
  '--mantine-primary-color-light-color': 'var(--accent)',
  '--mantine-primary-color-light-hover': 'color-mix(in srgb, var(--accent-soft), var(--accent) 10%)',
  '--mantine-color-indigo-filled': 'var(--accent-fill)',
  '--mantine-color-indigo-filled-hover': 'color-mix(in srgb, var(--accent-fill), var(--text) 12%)',
  '--mantine-color-gray-light-hover': 'var(--surface-3)',
  '--mantine-color-gray-light-color': 'var(--text-2)',
  '--mantine-color-disabled': 'var(--surface-3)',
  '--mantine-color-disabled-color': 'var(--text-3)',
  '--mantine-color-disabled-border': 'var(--line)',
  '--tooltip-bg': 'var(--surface-3)',
  '--tooltip-color': 'var(--text)',
};

export const cssVariables: CSSVariablesResolver = () => ({ variables: shared, light: shared, dark: shared });
