// SPDX-License-Identifier: Apache-2.0
// The purpose of a choice of a model, and the parts that it must not change.

import GaussianProcesses

/// Parts of a model that can be chosen by what it predicts over the horizon.
package enum ModelPart: Hashable, Sendable, CaseIterable {
  /// The covariance function of the Gaussian processes.
  case covariance
  /// What they have beside it: their mean, or a linear part before them.
  case mean
  /// Which rows of states and commands are read, filtered commands, dead times.
  case histories
  /// Which positions follow from measured rates.
  case integrals
  /// What each output reads of those rows.
  case inputs
  /// How much noise moves the particles of rollouts, and how long it lasts.
  case noise
}

/// What a model is wanted for.
package enum ModelPurpose: Hashable, Sendable {
  /// To look at a machine: whatever predicts best.
  case forecasts
  /// To search a controller on: Gaussian processes, whose doubt keeps a search where data are, of few inputs where that costs
  /// little, without the command of the predicted row, which a controller does not know yet.
  case search
}

/// What a choice may do.
package struct ChoiceOptions: Hashable, Sendable {
  /// Parts that are as the plain model has them.
  package var fixed = Set(ModelPart.allCases)
  package var purpose = ModelPurpose.search
  /// Most inputs of a Gaussian process that what draws from it takes; nil for any number. The plain model is left out where it has
  /// more.
  package var mostInputs: Int?
  /// Inputs up to which tables can draw from it: preferred for a search where that costs little; nil for no preference.
  package var lightInputs: Int?

  package init() {}

  /// Whether what draws from a model takes one of this form.
  func takes(_ form: ModelForm) -> Bool { mostInputs.map { form.mostInputs <= $0 } ?? true }

  /// Whether something is left to choose; kinematics alone are not worth it.
  package var isOpen: Bool { !fixed.isSuperset(of: [.covariance, .mean, .histories]) }
}

/// The model as a task describes it, which a choice begins with.
package struct PlainModel: Sendable {
  package let form: ModelForm
  package internal(set) var options: FitOptions

  package init(form: ModelForm, options: FitOptions) {
    (self.form, self.options) = (form, options)
  }

  /// "Gaussian process (squared-exponential) with a linear mean on 2 rows"
  var words: String {
    let rows = max(form.stateLag, form.actionLag - max(form.actionDelay, 0)) + 1
    var shape = shape
    shape.rows = rows
    return shape.name
  }

  /// What it is made of, without its rows.
  var shape: CandidateShape {
    var shape = CandidateShape(linear: .joint)
    (shape.profile, shape.mean) = (options.profile, options.mean)
    shape.isBesidePhysics = options.physics != nil
    return shape
  }
}
