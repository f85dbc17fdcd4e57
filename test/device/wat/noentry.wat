;; Has no entry of the usual name. SPDX-License-Identifier: Apache-2.0
(module (func (export "tick")))
