//! Checks that an export is possible in its layout, before anything is written.

use std::collections::BTreeSet;

use nezha_graphs::{GraphOption, GraphOptions, Head, MaskSource, Precision};

use super::{Holds, Layout, LayoutError, LayoutOption};
use crate::export::{ExportOptions, Placement};

impl Layout {
    /// Checks that these models can be exported in this layout.
    pub(in crate::export) fn check(
        self,
        models: &[(Head, Precision)],
        options: &ExportOptions,
    ) -> Result<(), LayoutError> {
        self.check_precisions(models, options)?;
        if self.rules().holds() == Holds::Anything {
            return Ok(());
        }
        if options.weights == Placement::Linked {
            return Err(LayoutError::Weights {
                layout: self,
                expected: "in its own folder: not linked",
            });
        }
        self.check_heads(models)?;
        if options.triton.tensorrt && options.graph.kv_cache {
            return Err(LayoutError::Option {
                layout: self,
                option: LayoutOption::TensorRt,
                reason: "the first step's cache is empty, which a shape profile can't be",
            });
        }
        self.check_names(&options.graph)?;
        self.check_inputs(&options.graph)?;
        self.rules().check(&options.graph, options.weights)
    }

    fn check_heads(self, models: &[(Head, Precision)]) -> Result<(), LayoutError> {
        let heads: BTreeSet<Head> = models.iter().map(|(head, _)| *head).collect();
        if let Some(&head) = heads.iter().find(|it| !self.has(**it)) {
            let known = Head::ALL.into_iter().filter(|it| self.has(*it));
            let known: Vec<&str> = known.map(Head::name).collect();
            return Err(LayoutError::Head {
                layout: self,
                head,
                known: known.join(", "),
            });
        }
        if self.rules().holds() != Holds::Repositories && heads.len() != 1 {
            return Err(LayoutError::SeveralHeads {
                layout: self,
                found: heads.len(),
            });
        }
        Ok(())
    }

    fn check_precisions(
        self,
        models: &[(Head, Precision)],
        options: &ExportOptions,
    ) -> Result<(), LayoutError> {
        let rules = self.rules();
        let precisions: BTreeSet<Precision> = models.iter().map(|(_, it)| *it).collect();
        if rules.holds() == Holds::OneModel && precisions.len() > 1 {
            return Err(LayoutError::SeveralPrecisions {
                layout: self,
                found: precisions.len(),
            });
        }
        let mut names = BTreeSet::new();
        for &precision in &precisions {
            if let Some(reason) = rules.refusal(precision, options.triton) {
                return Err(LayoutError::Precision {
                    layout: self,
                    precision,
                    reason,
                });
            }
            let name = match rules.holds() {
                // Each model has its own folder, named after the precision.
                Holds::Repositories => precision.file_name("model"),
                _ => rules.file_name(precision, "model"),
            };
            if !names.insert(name.clone()) {
                return Err(LayoutError::SameName { layout: self, name });
            }
        }
        Ok(())
    }

    /// A stack with classes of its own expects the contract's names.
    fn check_names(self, options: &GraphOptions) -> Result<(), LayoutError> {
        let changed = [
            (GraphOption::Rename, !options.rename.is_empty()),
            (GraphOption::Int32Inputs, options.int32_inputs),
            (GraphOption::Mask, options.mask != MaskSource::Tokens),
            (GraphOption::TokenTypes, !options.token_types),
        ];
        let changed = changed.into_iter().find(|(_, on)| *on);
        match (self.rules().stack(), changed) {
            (Some(_), Some((option, _))) => Err(self.excludes(
                option,
                "the stack gives input_ids, attention_mask and token_type_ids in int64, and reads the \
                 contract's outputs",
            )),
            _ => Ok(()),
        }
    }

    /// A stack that feeds the graph itself provides no other inputs.
    fn check_inputs(self, options: &GraphOptions) -> Result<(), LayoutError> {
        if !self.rules().feeds_itself() {
            return Ok(());
        }
        let asked = [
            (GraphOption::InputsEmbeds, options.inputs_embeds),
            (GraphOption::HeadMask, options.head_mask),
        ];
        if let Some((option, _)) = asked.into_iter().find(|(_, on)| *on) {
            return Err(self.excludes(option, "the stack gives ids, mask and types"));
        }
        match options.loss {
            true => Err(self.excludes(GraphOption::Loss, "the stack gives no labels")),
            false => Ok(()),
        }
    }

    /// The error that this layout and an option of the graph exclude each other.
    pub(super) fn excludes(self, option: GraphOption, reason: &'static str) -> LayoutError {
        LayoutError::Option {
            layout: self,
            option: LayoutOption::Graph(option),
            reason,
        }
    }
}
